"""Writes what a command made to the file that was named. Refuses to leave half a file, and to replace one unasked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from freehold.app.cli.output import UsageError, mute
from freehold.core.errors import FreeholdError
from freehold.core.ids import new_id


def save(target: str, data: bytes, *, force: bool = False) -> None:
    """Write `data` to the file `target`; "-": to standard output. Raises UsageError for a file that is there and is not
    to be replaced, FreeholdError where it cannot be written."""
    if target == "-":
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        except BrokenPipeError:
            mute(sys.stdout)
        return
    path = Path(target)
    part = path.with_name(f".{path.name}.{new_id('part')}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        if force:
            part.replace(path)
        else:
            os.link(part, path)  # unlike a rename it fails when the name is taken
    except FileExistsError as e:
        raise UsageError(f"{target} exists", hint="choose another name, or add --force") from e
    except OSError as e:
        hint = "check the folder and who may write there"
        raise FreeholdError(f"{target} cannot be written: {e.strerror}", hint=hint, fault="caller") from e
    finally:
        part.unlink(missing_ok=True)
