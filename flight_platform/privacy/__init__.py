"""Aircraft that must not be shown: the block list, what is audited, and how an aircraft is forgotten."""
