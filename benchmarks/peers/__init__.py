"""Small shops built on each of the peers, and on this library, doing the same two things: register and sign in.

Every shop hashes with Argon2id at the lowest cost there is, so that what is left is the library's own work. Every shop
that can mail a verification does so, into the void, and every shop keeps its sessions in the database if it can.
"""
