"""How sockets are served: our own WebSocket layer for uvicorn, made for many that only listen.

What it gives a broadcast server over the usual layers: ready frames go straight to the kernel; an idle socket holds no task and no
queue; one timer pings all; a peer that stops reading is dropped, with what the kernel holds for it.
"""
