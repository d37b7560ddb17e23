// The peer for connects: a WSX server on Express, of the kind that the guide of the original shows. A connection has an id and
// session data and stands in a Map; broadcast() turns the update into JSON for each of them. Prints `port NUMBER` once it listens.
import { createServer } from "node:http";
import express from "express";
import { WebSocketServer } from "ws";

const connections = new Map();
const app = express();
const server = createServer(app);
const sockets = new WebSocketServer({ noServer: true });
let connected = 0;
let published = 0;

function connect(socket) {
  const connection = {
    id: `conn_${++connected}`,
    sessionData: {},
    send: (data) => socket.readyState === socket.OPEN && socket.send(data),
    close: () => socket.close(),
  };
  connections.set(connection.id, connection);
  socket.on("message", (data) => JSON.parse(data.toString()));
  socket.on("close", () => connections.delete(connection.id));
  socket.on("error", console.error);
}

function broadcast(target, html, swap = "innerHTML") {
  const id = `broadcast_${++published}`;
  for (const connection of connections.values()) connection.send(JSON.stringify({ id, target, html, swap }));
  return id;
}

app.post("/api/v1/broadcasts", express.json(), (request, response) => {
  const { target, html, swap } = request.body;
  response.status(202).json({ id: broadcast(target, html, swap), matched: connections.size });
});

server.on("upgrade", (request, socket, head) => sockets.handleUpgrade(request, socket, head, connect));
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
