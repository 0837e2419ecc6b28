"""A client of a MammoLoop server. It knows the server by its REST interface alone."""
