"""`make demo`: everything on one machine, with logins, phantoms and readings to begin with."""
