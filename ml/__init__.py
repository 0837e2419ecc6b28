"""The learner: a library and a command line (`python -m ml`) that knows no web server.

`pixels geometry datasets acquisition evaluation simulation runs` need no torch; `blocks methods training` do.
"""
