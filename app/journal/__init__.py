"""One order of publications for all. A port of few verbs; `memory` is a ring for one process, `redis` a stream for all nodes."""
