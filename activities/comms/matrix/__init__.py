"""Matrix: a room per incident that shows where it stands, and what hears what people say there.

`account` calls the homeserver, `rooms` shows incidents there, `ears` hears people; `events` is what both know of rooms.

Rooms are not encrypted end to end: a worker that dies would take the keys with it.
"""
