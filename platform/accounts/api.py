"""Sign-in, projects, members, users, tokens, the audit trail."""

from typing import Any
from uuid import UUID

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.db.models import QuerySet
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import queries, services
from accounts.asking import asker
from accounts.errors import SignInFailed
from accounts.models import Membership, Project, Role, Scope, Token, User
from accounts.permissions import Anyone, SignedIn, SiteAdmin
from accounts.throttling import PerSignIn
from core.answers import RowOut, Shaped
from core.api import ApiView, ApiViewSet
from core.bodies import Body
from core.errors import Forbidden, Missing, Unauthenticated
from core.models import AuditEvent


class ProjectOut(RowOut[Project]):
    weights = Shaped(serializers.DictField(child=serializers.FloatField()))
    settings = Shaped(serializers.DictField())
    role = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = [
            "id", "name", "slug", "kind", "seed", "readings_per_exam", "audit_share", "weights", "settings",
            "created_at", "role",
        ]  # fmt: skip

    @extend_schema_field(serializers.ChoiceField(choices=Role.choices, allow_null=True))
    def get_role(self, project: Project) -> str | None:
        return queries.role_of(asker(self.context["request"]), project)


class MemberProject(RowOut[Project]):
    class Meta:
        model = Project
        fields = ["id", "name", "slug", "kind"]


class MembershipOfMe(RowOut[Membership]):
    project = MemberProject()

    class Meta:
        model = Membership
        fields = ["project", "role"]


class MeOut(RowOut[User]):
    memberships = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "is_site_admin", "memberships"]

    @extend_schema_field(MembershipOfMe(many=True))
    def get_memberships(self, user: User) -> list[dict[str, Any]]:
        """The account's roles; a site administrator counts as admin of every project."""
        roles = {row.project: row.role for row in user.memberships.select_related("project")}
        if user.is_site_admin:
            roles = {project: roles.get(project, Role.ADMIN.value) for project in Project.objects.all()}
        return [{"project": MemberProject(project).data, "role": role} for project, role in roles.items()]


class SignInIn(Body):
    username = serializers.CharField(max_length=64)
    password = serializers.CharField(max_length=200, trim_whitespace=False)


class SessionView(ApiView):
    """Sign in and out from a browser."""

    permission_classes = [Anyone]
    throttle_classes = [PerSignIn]

    @extend_schema(request=SignInIn, responses=MeOut)
    def post(self, request: Request) -> Response:
        given = SignInIn(data=request.data)
        given.is_valid(raise_exception=True)
        user = authenticate(request._request, **given.validated_data)
        if not isinstance(user, User):
            raise SignInFailed()
        login(request._request, user)  # a new session key: what was known before sign-in is worth nothing after it
        return Response(MeOut(user).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(ApiView):
    """Who is signed in; sets the CSRF cookie, also for a stranger."""

    permission_classes = [Anyone]

    @extend_schema(responses=MeOut)
    def get(self, request: Request) -> Response:
        get_token(request._request)
        if not request.user.is_authenticated:
            raise Unauthenticated()
        return Response(MeOut(request.user).data)


class ProjectIn(Body):
    name = serializers.CharField(max_length=120)
    seed = serializers.IntegerField(default=0, min_value=-(2**31), max_value=2**31 - 1)
    readings_per_exam = serializers.IntegerField(default=1, min_value=1, max_value=10)
    audit_share = serializers.FloatField(default=0.0, min_value=0, max_value=1)


class ProjectChange(Body):
    name = serializers.CharField(max_length=120, required=False)
    weights = serializers.DictField(child=serializers.FloatField(min_value=0, max_value=100), required=False)


class Projects(ApiViewSet):
    """Reading studies that the account is a member of."""

    permission_classes = [SignedIn]
    serializer_class = ProjectOut
    queryset = Project.objects.none()

    def get_queryset(self) -> QuerySet[Project]:
        return queries.projects_of(asker(self.request)).order_by("-id")

    @extend_schema(responses=ProjectOut(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses=ProjectOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(request=ProjectIn, responses={201: ProjectOut})
    def create(self, request: Request) -> Response:
        if not asker(request).is_site_admin:
            raise Forbidden("Only a site administrator makes projects.")
        given = ProjectIn(data=request.data)
        given.is_valid(raise_exception=True)
        project = services.create_project(by=asker(request), **given.validated_data)
        return Response(self.get_serializer(project).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ProjectChange, responses=ProjectOut)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        project = get_object_or_404(self.get_queryset(), pk=pk)
        given = ProjectChange(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(
            self.get_serializer(services.change_project(project, by=asker(request), **given.validated_data)).data
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Remove the demo project with everything in it."""
        services.delete_demo_project(get_object_or_404(self.get_queryset(), pk=pk), by=asker(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserOut(RowOut[User]):
    class Meta:
        model = User
        fields = ["id", "username", "is_site_admin", "is_active", "last_login", "created_at"]


class UserIn(Body):
    username = serializers.RegexField(r"^[\w.@+-]{2,64}$")
    password = serializers.CharField(max_length=200, required=False, allow_null=True, trim_whitespace=False)
    is_site_admin = serializers.BooleanField(default=False)


class UserChange(Body):
    password = serializers.CharField(max_length=200, required=False, trim_whitespace=False)
    is_active = serializers.BooleanField(required=False)


class UsersView(mixins.ListModelMixin, ApiViewSet):
    """Accounts. A site administrator makes them: nobody registers alone."""

    permission_classes = [SignedIn]
    serializer_class = UserOut
    queryset = User.objects.none()

    def get_queryset(self) -> QuerySet[User]:
        return queries.users_visible_to(asker(self.request))

    def get_permissions(self) -> list[Any]:
        return [SiteAdmin()] if self.action == "create" else [SignedIn()]

    @extend_schema(responses=UserOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(UserOut(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(request=UserIn, responses={201: UserOut})
    def create(self, request: Request) -> Response:
        given = UserIn(data=request.data)
        given.is_valid(raise_exception=True)
        user = services.create_user(by=asker(request), **{"password": None, **given.validated_data})
        return Response(UserOut(user).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=UserChange, responses=UserOut)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change one's own password; a site administrator changes any account."""
        if not asker(request).is_site_admin and str(pk) != str(asker(request).pk):
            raise Forbidden()
        given = UserChange(data=request.data)
        given.is_valid(raise_exception=True)
        user = get_object_or_404(self.get_queryset(), pk=pk)
        if "password" in given.validated_data:
            services.set_password(user, password=given.validated_data["password"], by=asker(request))
            if user.pk == asker(request).pk and request.auth is None:
                update_session_auth_hash(request._request, user)
        if "is_active" in given.validated_data:
            if not asker(request).is_site_admin:
                raise Forbidden()
            services.set_active(user, active=given.validated_data["is_active"], by=asker(request))
        return Response(UserOut(user).data)


class MembershipOut(RowOut[Membership]):
    username = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "project", "user", "username", "role", "created_at"]


class MembershipIn(Body):
    project = serializers.UUIDField()
    user = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Role.choices)


class Memberships(mixins.ListModelMixin, ApiViewSet):
    """Who is in which project, with which role."""

    permission_classes = [SignedIn]
    serializer_class = MembershipOut
    queryset = Membership.objects.none()
    filterset_fields = ["project", "user", "role"]

    def get_queryset(self) -> QuerySet[Membership]:
        return queries.memberships_visible_to(asker(self.request))

    @extend_schema(request=MembershipIn, responses={201: MembershipOut})
    def create(self, request: Request) -> Response:
        given = MembershipIn(data=request.data)
        given.is_valid(raise_exception=True)
        project = get_object_or_404(queries.projects_of(asker(request)), pk=given.validated_data["project"])
        user = get_object_or_404(User, pk=given.validated_data["user"])
        role = Role(given.validated_data["role"])
        row = services.set_membership(project=project, user=user, role=role, by=asker(request))
        return Response(MembershipOut(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        services.end_membership(get_object_or_404(self.get_queryset(), pk=pk), by=asker(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenOut(RowOut[Token]):
    username = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Token
        fields = ["id", "name", "scope", "user", "username", "created_at", "ends_at", "last_used_at", "revoked_at"]


class TokenMade(TokenOut):
    secret = serializers.CharField(read_only=True)

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "secret"]


class TokenIn(Body):
    name = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    scope = serializers.ChoiceField(choices=Scope.choices, default=Scope.WRITE)
    days = serializers.FloatField(min_value=0.001, max_value=3650, default=services.TOKEN_DAYS)
    user = serializers.UUIDField(required=False, help_text="another account's; for site administrators")


class Tokens(mixins.ListModelMixin, ApiViewSet):
    """Bearer tokens; a secret is shown once, so no answer is kept: an order sent again makes another token."""

    keeps_answers = False

    permission_classes = [SignedIn]
    serializer_class = TokenOut
    queryset = Token.objects.none()

    def get_queryset(self) -> QuerySet[Token]:
        rows = Token.objects.select_related("user")
        return rows if asker(self.request).is_site_admin else rows.filter(user=asker(self.request))

    @extend_schema(request=TokenIn, responses={201: TokenMade})
    def create(self, request: Request) -> Response:
        given = TokenIn(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        user = self._owner(request, fields.pop("user", None))
        row, secret = services.issue_token(user=user, by=asker(request), **fields)
        return Response({**TokenOut(row).data, "secret": secret}, status=status.HTTP_201_CREATED)

    @staticmethod
    def _owner(request: Request, user_id: UUID | None) -> User:
        if user_id is None or user_id == asker(request).pk:
            return asker(request)
        if not asker(request).is_site_admin:
            raise Forbidden("Only a site administrator makes tokens for others.")
        return get_object_or_404(User, pk=user_id)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        services.revoke_token(pk, by=asker(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuditOut(RowOut[AuditEvent]):
    detail = Shaped(serializers.DictField())

    class Meta:
        model = AuditEvent
        fields = ["id", "at", "actor", "verb", "target_kind", "target_id", "project_id", "detail"]


class Audit(mixins.ListModelMixin, ApiViewSet):
    """What was done, by whom: a project's events for its administrators, all of them for site administrators."""

    permission_classes = [SignedIn]
    serializer_class = AuditOut
    queryset = AuditEvent.objects.none()

    @extend_schema(parameters=[OpenApiParameter("project", OpenApiTypes.UUID, description="default: all events")])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[AuditEvent]:
        project = self.request.query_params.get("project")
        if project is None:
            if not asker(self.request).is_site_admin:
                raise Missing()
            return AuditEvent.objects.all()
        queries.require_role(asker(self.request), project, Role.ADMIN)
        return AuditEvent.objects.filter(project_id=project)
