/* SPDX-License-Identifier: Apache-2.0 */
/* The host's configuration file: settings and service definitions. One text, compiled by engine and
 * actor each for itself; it also enters the pipeline as a record, so that a replay has it. */
#ifndef KM_CONFIG_H
#define KM_CONFIG_H

#include "base/base.h"
#include "base/health.h"
#include "base/json.h"
#include "event.h"

#define KM_CONFIG_BYTES_MAX KM_JSON_BYTES_MAX
/* Files in services.d: one a service at the most. */
#define KM_SERVICE_FILES_MAX KM_SERVICES_MAX
/* Strings of one command, and bytes of one of them, terminator included. */
#define KM_ARGV_MAX 64
#define KM_ARG_MAX  4096
/* Labels of one service, and bytes of a name or value, terminator included: as much as people
 * read. */
#define KM_LABELS_MAX 16
#define KM_LABEL_MAX  64
/* Services that one needs directly. */
#define KM_NEEDS_MAX 32
/* Digits of a container's id that are shown, and are its name where it has no other. */
#define KM_CONTAINER_SHOWN 12

enum km_service_kind {
	KM_BY_UNIT = 0,   /* systemd unit, by name */
	KM_BY_CGROUP,     /* cgroup v2 path below the mount */
	KM_BY_CONTAINER,  /* 64 hex digits or a prefix of at least 12, from the cgroup path */
	KM_BY_EXECUTABLE, /* absolute path as executed */
	KM_BY_PIDFILE,    /* absolute path */
	KM_BY_COMMAND,    /* argv, started and supervised by kmend */
	/* No services and in no configuration, but measured like them: KM_BY_COMMAND plus enum
	 * km_entity. Nothing can be repaired there. */
	KM_IS_ENDPOINT,
	KM_IS_DEVICE,
	KM_IS_FILESYSTEM,
	KM_IS_HOST,
	KM_SERVICE_KIND_MAX
};

extern const char *const km_service_kind_names[KM_SERVICE_KIND_MAX + 1];

/* Limits that kmend sets for a supervised command, KM_UNKNOWN where none is asked for. */
struct km_service_limits {
	uint64_t memory_bytes; /* cgroup: memory.max or memory.limit_in_bytes */
	uint64_t pids;         /* cgroup: pids.max */
	uint64_t nofile;       /* soft and hard RLIMIT_NOFILE */
};

struct km_label {
	char name[KM_LABEL_MAX];
	char value[KM_LABEL_MAX];
};

/* What a service connects to, and where else the same can be had: as many of one service as the
 * kernel's table of its routes holds. */
#define KM_ENDPOINTS_MAX     8
#define KM_STANDBYS_MAX      4
#define KM_ENDPOINT_NAME_MAX 32 /* KM_OBJECT_MAX */

struct km_endpoint_place {
	struct kmend_address address;
	char check[KM_CHECK_NAME_MAX]; /* of the service's that looks at it; "": none does */
};

struct km_endpoint {
	char name[KM_ENDPOINT_NAME_MAX];
	struct km_endpoint_place
		place[1 + KM_STANDBYS_MAX]; /* the primary, standbys by preference */
	uint32_t places;
};

struct km_service_def {
	char name[KM_NAME_MAX];
	enum km_service_kind kind;
	char match[KM_PATH_MAX];     /* unit, cgroup path, container id, executable or pidfile */
	char **argv;                 /* KM_BY_COMMAND: absolute argv[0], NULL-terminated, owned */
	char user[64];               /* of a supervised command, empty: root */
	char directory[KM_PATH_MAX]; /* its working directory, "/" by default */
	struct km_service_limits limits;
	uint64_t stop_timeout_ns; /* SIGTERM to SIGKILL, 10 s by default */
	uint32_t instances;       /* how many services share its "group", itself included */
	char group[KM_NAME_MAX];  /* instances of one service, for minimum healthy; empty: none */
	struct km_label *labels;  /* as written, owned */
	size_t label_count;
	char **need_names; /* services without which it cannot work, NULL-terminated, owned */
	size_t *needs;     /* their places in the configuration's services, owned */
	size_t need_count;
	struct km_health_check *checks; /* owned */
	size_t check_count;
	struct km_endpoint *endpoints; /* owned */
	size_t endpoint_count;
	uint32_t rank;     /* 0: needs nothing; else one more than the highest rank that it needs */
	int stop_signal;   /* of a supervised command, SIGTERM by default */
	int reload_signal; /* what makes it read its configuration again, 0: nothing does */
	bool autostart;    /* supervised commands: start when kmend starts; true by default */
};

struct km_settings {
	uint64_t sample_period_ns;  /* 1 s by default; 100 ms to 60 s */
	uint64_t signal_budget_ppm; /* of all CPUs, for what is attached in windows; 0: nothing */
	uint64_t horizon_ns;        /* forecasts later than this are not made; 24 h by default */
	uint64_t leave_alone_ns;    /* what people or other supervisors ended; 10 min by default */
	uint64_t history_days;      /* how long SQLite keeps samples, 14 by default */
	uint64_t recording_bytes;   /* room of the rolling recording, 256 MiB by default; 0: none */
	uint64_t socket_mode;       /* always 0660 in this version */
	char socket_group[64];      /* may read through the control socket, "kmend" by default */
};

struct km_config {
	struct km_settings settings;
	struct km_service_def *services; /* sorted by name, owned */
	size_t service_count;
};

/* Service names: letters, digits and . _ @ : -, not first . or -. No two services have one name, or
 * are found by the same unit, cgroup and so on, whichever texts they are in.
 *
 * TEXT NULL: the embedded defaults (no service, observe only). -EBADMSG with *ERR. */
int km_config_compile(const char *text, size_t len, const char *file, struct km_error *err,
                      struct km_config **ret);

/* One of several texts of a configuration. */
struct km_config_text {
	const char *file;
	const char *bytes;
	size_t len;
	bool services_only; /* a file of services.d: no settings */
};
/* All texts as one; their order decides nothing but which of two errors is told. */
int km_config_compile_texts(const struct km_config_text *texts, size_t count, struct km_error *err,
                            struct km_config **ret);
struct km_config *km_config_free(struct km_config *c);
KM_DEFINE_FREEP(struct km_config, km_config_free)

/* NULL if there is none. The config's. */
const struct km_service_def *km_config_service(const struct km_config *c, const char *name);

/* Places in a configuration's services. */
struct km_service_set {
	uint64_t bits[KM_SERVICES_MAX / 64];
};

static inline bool km_service_set_has(const struct km_service_set *s, size_t place)
{
	return s->bits[place / 64] >> place % 64 & 1;
}

/* All that D needs, directly or through others. */
void km_config_needed(const struct km_config *c, const struct km_service_def *d,
                      struct km_service_set *ret);
/* NULL if there is none. The definition's. */
const struct km_endpoint *km_config_endpoint(const struct km_service_def *d, const char *name);
/* Whether any of its health checks speaks about the service itself. */
bool km_service_is_checked(const struct km_service_def *d);
/* Whether D, or any service of C, has a health check of this kind. */
bool km_service_has_check(const struct km_service_def *d, enum km_check_kind kind);
bool km_config_has_check(const struct km_config *c, enum km_check_kind kind);
/* The value of D's label NAME; NULL: it has none. */
const char *km_config_label(const struct km_service_def *d, const char *name);

#endif
