"""TLS of the door, from the certificate that the configuration names."""

from __future__ import annotations

import ssl

from freehold.app.settings import Tls
from freehold.core.errors import ConfigError


def server_context(tls: Tls | None) -> ssl.SSLContext | None:
    """Return the context for `tls`, None for plain HTTP. Raises ConfigError when the files don't fit."""
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(
            f"The certificate {tls.cert} or its key {tls.key} cannot be used: {e}.",
            hint="`[server.tls]` wants PEM files that belong together and that this user may read",
        ) from e
    return context
