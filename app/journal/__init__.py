"""One order of publications for everybody. A port of few verbs; `memory` keeps a ring for one process."""
