"""Django's settings. What an operator may change is listed in env.py; the rest is decided here."""

from __future__ import annotations

import os
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import environ
from csp.constants import NONCE, SELF

from .env import BASE_DIR, VARIABLES, data_dir, device, given_turns_price, prices, read, secret_key, surface_prices

VARIABLE_NAMES = tuple(VARIABLES)
DATA_DIR = data_dir()
SECRET_KEY = secret_key(DATA_DIR)
DEBUG = read("SOLOIST_DEBUG")
PORT = read("PORT")
ALLOWED_HOSTS = read("SOLOIST_ALLOWED_HOSTS")
PUBLIC_URL = read("SOLOIST_PUBLIC_URL").rstrip("/")
BEHIND_PROXY = read("SOLOIST_BEHIND_PROXY")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
HTTPS = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "channels",
    "csp",
    "accounts",
    "jobs",
]
MIDDLEWARE = [
    "jobs.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.throttling.rate_limit_headers",
    "jobs.api.gate.bounded",
]
ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.static", "jobs.templatetags.portal"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "accounts.context.account",
            ],
        },
    }
]

# Database. SQLite's defaults lose contended writes; WAL with immediate transactions and a long wait does not.
SQLITE_OPTIONS: dict[str, Any] = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; "
    "PRAGMA journal_size_limit=67108864;",
}
if read("DATABASE_URL"):
    DATABASES = {"default": environ.Env.db_url_config(read("DATABASE_URL"))}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "soloist.sqlite3",
            "OPTIONS": SQLITE_OPTIONS,
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Files
MEDIA_ROOT = DATA_DIR / "media"
SCRATCH_DIR = DATA_DIR / "scratch"
S3_BUCKET = read("SOLOIST_S3_BUCKET")
if S3_BUCKET:
    _media_storage: dict[str, Any] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": read("SOLOIST_S3_ENDPOINT") or None,
            "region_name": read("SOLOIST_S3_REGION") or None,
            "access_key": read("SOLOIST_S3_ACCESS_KEY") or None,
            "secret_key": read("SOLOIST_S3_SECRET_KEY") or None,
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
            "querystring_expire": read("SOLOIST_LINK_SECONDS"),
            "signature_version": "s3v4",
        },
    }
else:
    _media_storage = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": MEDIA_ROOT, "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    }
STORAGES = {
    "default": _media_storage,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # served from where they lie: nothing to collect
FILE_UPLOAD_TEMP_DIR = SCRATCH_DIR
SCRATCH_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

# People
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "jobs"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 3600
SIGNUP_OPEN = read("SOLOIST_SIGNUP_OPEN")
SIGNUP_CREDITS = read("SOLOIST_SIGNUP_CREDITS")

# Security
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS and BEHIND_PROXY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
_media_origins = [read("SOLOIST_S3_ENDPOINT")] if read("SOLOIST_S3_ENDPOINT") else ["https://*.amazonaws.com"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "media-src": [SELF, "blob:", *(_media_origins if S3_BUCKET else [])],
        "connect-src": [SELF, *(_media_origins if S3_BUCKET else [])],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    }
}

# Mail
EMAIL_CONFIG = environ.Env.email_url_config(read("EMAIL_URL") or "consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = read("SOLOIST_EMAIL_FROM")

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.KeyOrTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.KeyEndpointThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "jobs.api.requests.JSONWhateverAccepted",
    "DEFAULT_PARSER_CLASSES": [
        "jobs.api.requests.WholeMultiPartParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.JSONParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["jobs.api.requests.WritableJSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "jobs.api.errors.handle",
    "DEFAULT_METADATA_CLASS": None,
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
RATE_LIMIT = read("SOLOIST_RATE_LIMIT")
STREAMS_PER_ACCOUNT = read("SOLOIST_STREAMS_PER_ACCOUNT")
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ALGORITHM": "HS256",
    "CHECK_REVOKE_TOKEN": True,  # a changed password ends the tokens given out before it
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Soloist",
    "DESCRIPTION": "Upload a recording with several people in it, get each of them alone, with who spoke when.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "defaultModelsExpandDepth": 0},
    "WEBHOOKS": ["jobs.api.webhook_schema.EVENT"],
    "DEFAULT_GENERATOR_CLASS": "jobs.api.inspection.Generator",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "jobs.api.schema.refuse_account_requests",
    ],
    "ENUM_NAME_OVERRIDES": {
        "StemEnum": "audio_engine.music.STEMS",
        "StemSourceEnum": "audio_engine.music.SOURCES",
        "QualityEnum": "audio_engine.sound.QUALITIES",
        "StatusEnum": "jobs.api.render.STATUSES",
        "JobTypeEnum": "audio_engine.types.TASKS",
        "SpeakerJobTypeEnum": "audio_engine.types.SPEAKER_TASKS",
        "VoiceprintStatusEnum": "jobs.api.voiceprint_schema.STATUSES",
        "PyannoteModelEnum": "jobs.compat.pyannoteai.requests.MODELS",
        "PyannoteTranscriberEnum": "jobs.compat.pyannoteai.requests.TRANSCRIBERS",
        "PyannoteStatusEnum": "jobs.compat.pyannoteai.rendering.STATUSES",
        "EqualizerEnum": "audio_engine.sound.EQUALIZERS",
        "TimbrStatusEnum": "jobs.compat.timbr.requests.STATUSES",
        "TimbrJobTypeEnum": "jobs.compat.timbr.rendering.TYPES",
    },
    "TAGS": [
        {"name": name}
        for name in (
            "Speakers",
            "Corrections",
            "Voiceprints",
            "Noise",
            "Stems",
            "Jobs",
            "Webhooks",
            "Credits",
            "Account",
            "pyannoteAI",
            "Timbr",
            "NeuralSpace",
        )
    ],
}

# Live progress. Events are rows; the layer only fans out inside one process, or hints between processes with Redis.
REDIS_URL = read("REDIS_URL")
if REDIS_URL:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}}
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Jobs
CREDITS_PER_SECOND = prices()
CREDITS_PER_USD = read("SOLOIST_CREDITS_PER_USD")
SURFACE_CREDITS_PER_SECOND = surface_prices()
GIVEN_TURNS_CREDITS_PER_SECOND = given_turns_price()
MAX_UPLOAD_BYTES = read("SOLOIST_MAX_UPLOAD_MB") * 1_000_000
MAX_RESUMABLE_BYTES = read("SOLOIST_MAX_RESUMABLE_MB") * 1_000_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
MAX_AUDIO_SECONDS = read("SOLOIST_MAX_AUDIO_SECONDS")
MAX_DOWNLOAD_BYTES = read("SOLOIST_MAX_DOWNLOAD_MB") * 1_000_000
FETCH_TIMEOUT = read("SOLOIST_FETCH_TIMEOUT")
FETCH_ALLOW = tuple(ip_network(network) for network in read("SOLOIST_FETCH_ALLOW"))
EXTRACTORS = read("SOLOIST_EXTRACTORS")
LINK_SECONDS = read("SOLOIST_LINK_SECONDS")
DEVICE = device()
os.environ["SOLOIST_DEVICE"] = DEVICE  # for the engine, which knows no settings
ENGINE_THREADS = read("SOLOIST_ENGINE_THREADS")
ENGINE_TIMEOUT = read("SOLOIST_ENGINE_TIMEOUT")
MODELS_DIR = (BASE_DIR / read("SOLOIST_MODELS_DIR")).resolve() if read("SOLOIST_MODELS_DIR") else DATA_DIR / "models"
os.environ["SOLOIST_MODELS_DIR"] = str(MODELS_DIR)  # where the engine looks, which knows no settings
MODEL_IDLE_SECONDS = read("SOLOIST_MODEL_IDLE_SECONDS")
LEASE_SECONDS = read("SOLOIST_LEASE_SECONDS")
MAX_ATTEMPTS = read("SOLOIST_MAX_ATTEMPTS")
WEBHOOK_LOG_DAYS = read("SOLOIST_WEBHOOK_LOG_DAYS")
RETENTION_DAYS = read("SOLOIST_RETENTION_DAYS")
OUTPUT_HOURS = {"pyannoteai": read("SOLOIST_PYANNOTEAI_OUTPUT_HOURS")}  # by the surface that jobs came by

# django-q2 only carries wake-ups, in the same database, so that a job and its message commit together. Retries are
# ours. guard_cycle must be a binary fraction: with 0.1 or 2 the queue's own timeout never fires.
Q_CLUSTER = {
    "name": "io",
    "orm": "default",
    "workers": 2,
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.5,
    "timeout": FETCH_TIMEOUT + 300,
    "retry": FETCH_TIMEOUT + 900,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "recycle": 200,
    "guard_cycle": 0.5,
    "scheduler": False,
    "label": "Wake-ups",
    "ALT_CLUSTERS": {
        "engine": {
            "workers": 1,
            "timeout": ENGINE_TIMEOUT + 300,
            "retry": ENGINE_TIMEOUT + 900,
            "recycle": 100,
        }
    },
}

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.channels.server": {"level": "WARNING"},
        "django-q": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        "daphne": {"level": "WARNING"},
    },
}
