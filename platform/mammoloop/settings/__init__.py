"""Settings: all from the environment, checked at start, the same for the embedded and the server mode."""

from core.secrets import read_or_make
from mammoloop.settings import environment, storage
from mammoloop.settings.logs import logging_config

ENV = environment.read()
ROOT = environment.ROOT

# --- where things are -------------------------------------------------------------------------------------------
VAR_DIR = ENV["VAR_DIR"]
STORE_DIR = VAR_DIR / "store"
INCOMING_DIR = VAR_DIR / "incoming"
DERIVED_DIR = VAR_DIR / "derived"
RUNS_DIR = VAR_DIR / "runs"
WEIGHTS_DIR = VAR_DIR / "weights"
EXPORTS_DIR = VAR_DIR / "exports"
SECRETS_DIR = VAR_DIR / "secrets"
LOGS_DIR = VAR_DIR / "logs"
CACHE_DIR = VAR_DIR / "cache"
GPU_LOCK_DIR = ENV["GPU_LOCK_DIR"] or str(VAR_DIR / "gpu")
UPLOAD_LIMIT_BYTES = ENV["UPLOAD_LIMIT_GB"]
DISK_RESERVE_BYTES = ENV["DISK_RESERVE_GB"]
LEASE_MINUTES = ENV["LEASE_MINUTES"]
PACS_ALLOW_PRIVATE = ENV["PACS_ALLOW_PRIVATE"]
WEB_PROCESSES = ENV["WEB_PROCESSES"]
FRONTEND_DIST = ROOT / "frontend" / "dist"

# --- Django -----------------------------------------------------------------------------------------------------
DEBUG = ENV["DEBUG"]
SECRET_KEY = read_or_make(SECRETS_DIR, "django")
ALLOWED_HOSTS = ENV["ALLOWED_HOSTS"]
CSRF_TRUSTED_ORIGINS = ENV["CSRF_TRUSTED_ORIGINS"]
ROOT_URLCONF = "mammoloop.urls"
ASGI_APPLICATION = "mammoloop.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
APPEND_SLASH = False
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [("app", FRONTEND_DIST)] if FRONTEND_DIST.is_dir() else []
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(VAR_DIR / "none")},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "core.apps.CoreConfig",
    "accounts.apps.AccountsConfig",
    "jobs.apps.JobsConfig",
    "archive.apps.ArchiveConfig",
    "annotations.apps.AnnotationsConfig",
    "exchange.apps.ExchangeConfig",
    "learning.apps.LearningConfig",
    "mammoloop.apps.MammoloopConfig",
]
MIDDLEWARE = [
    "core.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "core.security.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "DIRS": [FRONTEND_DIST]}]

# --- database, broker, cache ------------------------------------------------------------------------------------
DATABASES = {"default": storage.database(ENV["DATABASE_URL"], VAR_DIR)}
REDIS_URL = ENV["REDIS_URL"] or storage.embedded_redis_url(VAR_DIR)
REDIS_IS_EMBEDDED = not ENV["REDIS_URL"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = storage.celery_url(REDIS_URL)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "io"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 14 * 24 * 3600,  # above the longest run: see jobs/models.py
    # Whoever submits a job does not wait for a broker that is down: the row is there, and beat delivers it.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_TIMEZONE = "UTC"
CELERY_TASK_PROTOCOL = 2

# --- security ---------------------------------------------------------------------------------------------------
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "mammoloop.pages.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 2**20
if ENV["SERVER_MODE"]:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# --- API --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.tokens.BearerToken", "accounts.sessions.Session"],
    "DEFAULT_PERMISSION_CLASSES": ["core.permissions.Refuse"],
    "DEFAULT_PAGINATION_CLASS": "core.paging.CursorPaging",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.PerActor"],
    "DEFAULT_THROTTLE_RATES": {"actor": "6000/min", "sign_in": "20/min"},
    "EXCEPTION_HANDLER": "core.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MammoLoop",
    "DESCRIPTION": "Active learning on mammograms: read, train, rank, export. For research, not a medical device.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # what a PATCH must hold is for its serializer to say: an edit is no partial one
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Choices stay where they are used. As components they would be named by guess, and a new one would rename others.
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enum_id_removal",
        "mammoloop.schema.tell_of_problems",
        "mammoloop.schema.tell_of_unknown_keys",
    ],
}

LOGGING = logging_config(ENV["LOG_LEVEL"])
LOGGING_CONFIG = "logging.config.dictConfig"
