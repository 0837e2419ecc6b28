"""Users, projects, memberships, roles, tokens, sign-in."""
