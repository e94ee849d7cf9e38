"""The door: endpoints of each dialect over HTTP, and the one place where errors are rendered."""

from freehold.gateway.door import Door, DoorSettings

__all__ = ["Door", "DoorSettings"]
