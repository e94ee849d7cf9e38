"""The command line: one file per group of commands. Refuses to hold anything that a room should know."""
