"""Attacks on a running trunk-server, each in a bounded form on loopback.

Every attack that once succeeded has an entry here: what is done from outside, the figure that shows whether it still
works, and the threshold for that figure. The package does not use the server's code: it starts a binary, has its own
HTTP, SIP and RTP implementations, and reads everything else from the kernel (`/proc`). So the same attacks can be run
against any build. An attack proves something only if it was seen to succeed on a build without the fix.

Rules of this package: only the standard library and `wrk`; only addresses of 127.0.0.0/8; ports chosen by the kernel;
every loop is bounded in count or in time; only processes that were started here are ended.
"""
