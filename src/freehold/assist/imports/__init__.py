"""Moving in: conversations out of the exports of other assistants, and of our own. Refuses to trust a byte of them.

A file is opened (archive), cut into conversations (split), each one recognised by its content and read (chatgpt,
claude, openwebui, librechat, own) into one form (talk), and written (run), with a report of what was kept and lost.
"""
