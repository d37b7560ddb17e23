"""The peer on uWebSockets, by way of socketify: a POST route that parses JSON, and the library's native publish.

The smallest honest server: no key, no validation, no audience. Prints `port NUMBER` once it listens.
"""

import json
import uuid
from collections import deque
from typing import Any

from socketify import App, AppListenOptions, OpCode

TOPIC = "everyone"
KEPT = 4_096
"""The library reads responses after their handlers have ended, and crashes when Python has freed one: so many are kept."""


def main() -> None:
    app = App()
    kept: deque[Any] = deque(maxlen=KEPT)

    async def publish(response: Any, _request: Any) -> None:
        kept.append(response)
        update = await response.get_json()
        message = {"id": uuid.uuid4().hex, "target": update["target"], "html": update["html"], "swap": update["swap"]}
        app.publish(TOPIC, json.dumps(message, separators=(",", ":")), OpCode.TEXT)
        response.cork(lambda one: one.write_status(202).end(f'{{"id":"{message["id"]}"}}'))

    app.ws("/ws", {"open": lambda socket: socket.subscribe(TOPIC), "idle_timeout": 60, "max_backpressure": 1 << 24})
    app.post("/api/v1/broadcasts", publish)
    app.listen(AppListenOptions(port=0, host="127.0.0.1"), lambda config: print(f"port {config.port}", flush=True))
    app.run()


if __name__ == "__main__":
    main()
