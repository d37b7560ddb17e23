"""Words that every package may use: errors, ids, time, logs, who somebody is. No framework, no I/O."""
