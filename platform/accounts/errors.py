"""What can go wrong with accounts."""

from core.errors import Conflict, Forbidden, Invalid, Unauthenticated


class SignInFailed(Unauthenticated):
    """Name and password do not fit."""

    code = "accounts.sign_in_failed"
    cure = "Check both; ask an administrator for a new password if it is lost."


class RoleMissing(Forbidden):
    """Your role in this project does not allow that."""

    code = "accounts.role_missing"
    cure = "Ask an administrator of the project for one of the roles that the detail names."


class TokenReadOnly(Forbidden):
    """This token may only read."""

    code = "accounts.token_read_only"
    cure = "Make a token with the scope `write`."


class NameTaken(Conflict):
    """That name is taken."""

    code = "accounts.name_taken"
    cure = "Choose another one."


class PasswordWeak(Invalid):
    """That password is too easy to guess."""

    code = "accounts.password_weak"
    cure = "Use ten or more characters that are neither a common password nor like the name."


class LastAdmin(Conflict):
    """A project keeps at least one administrator."""

    code = "accounts.last_admin"
    cure = "Make somebody else administrator first."


class DeletionRefused(Conflict):
    """Only the demo project can be removed as a whole."""

    code = "accounts.deletion_refused"
    cure = "Labelled data of a study are kept; remove its members to close it."
