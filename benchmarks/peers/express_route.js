// The peer for requests: a bare Express POST route that parses JSON and answers JSON. Prints `port NUMBER` once it listens.
import express from "express";

const app = express();
let received = 0;

app.post("/api/v1/broadcasts", express.json(), (request, response) => {
  received += 1;
  response.status(202).json({ id: String(received), matched: request.body.audience.ids.length - 1, queued: 0 });
});

const server = app.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
