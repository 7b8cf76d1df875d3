"""`make compare`: what other servers do about the same faults, beside this one."""
