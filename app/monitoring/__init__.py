"""What operators watch: numbers for Prometheus, and spans for OpenTelemetry.

Decisions: (1) Parts count in plain numbers of their own, and know nothing of Prometheus; collectors here read them when they are
asked for, so counting costs next to nothing in between. (2) Litestar's plugin for Prometheus is not used: it sees neither sockets
nor streams, and costs each request more than what it counts. (3) A label takes one of few values, all of them known to the program.
(4) Workers of one machine answer for each other, by sockets in a folder of their supervisor: the multi-process mode of the library
would keep files for numbers that only count, and ours are mostly read from what is there. (5) Spans come by Litestar's plugin.
"""
