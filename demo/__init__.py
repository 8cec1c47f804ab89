"""Customers register, sign in and recover their accounts, before your eyes: ``python -m demo``.

A shop on a fresh SQLite file, with a real mail server on this machine. After each step stands what was stored. Two
strangers get in and are thrown out by the links in mails. Twice the shop's process is killed at a bad moment, and the
story goes on from what is in the file. Add ``--interactive`` to type address and passwords yourself.
"""
