"""Front office: command line, configuration, composition, first run. Imports every room; no room imports it."""
