// Shows whether the page is connected, and empties the field once its message is out. All else is wsx.js and HTML from the server.
const sign = document.getElementById("connection");
const show = (text, state) => {
  sign.textContent = text;
  sign.className = state;
};
document.addEventListener("wsx:connected", () => show("live", "on"));
document.addEventListener("wsx:disconnected", (event) =>
  show(event.detail.willReconnect ? "connection lost, coming back" : `closed: ${event.detail.reason || event.detail.code}`, "off"));
document.addEventListener("wsx:afterSwap", (event) => {
  if (event.detail.target === "#wave-message") document.getElementById("wave-message").value = "";
});
