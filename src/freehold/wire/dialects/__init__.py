"""Dialects that clients and vendors speak: pure codecs between bytes and the Call. Refuses to know sockets."""
