/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks of a service, as the configuration defines them. Who carries them out: health/. */
#ifndef KM_BASE_HEALTH_H
#define KM_BASE_HEALTH_H

#include "base/base.h"

/* Of one host: 2 a service. Of one service: as many as people tell apart. */
#define KM_CHECKS_MAX            4096
#define KM_CHECKS_OF_SERVICE_MAX 8
#define KM_CHECK_NAME_MAX        64

enum km_check_kind {
	KM_CHECK_TCP = 0,  /* a connection is accepted */
	KM_CHECK_UDP,      /* something is answered to what is sent */
	KM_CHECK_UNIX,     /* a connection is accepted */
	KM_CHECK_HTTP,     /* status, body; https: days that the certificate has left */
	KM_CHECK_EXEC,     /* a program ends with 0 */
	KM_CHECK_WATCHDOG, /* the service itself says WATCHDOG=1 (sd_notify) in time */
	KM_CHECK_REDIS,    /* PING is answered */
	KM_CHECK_POSTGRES, /* a start-up packet is answered, and not by "starting up" */
	KM_CHECK_DNS,      /* a query is answered */
	KM_CHECK_FILE,     /* a file was written lately */
	KM_CHECK_KIND_MAX
};

extern const char *const km_check_kind_names[KM_CHECK_KIND_MAX + 1];

/* Texts are owned by the configuration. */
struct km_health_check {
	char name[KM_CHECK_NAME_MAX];
	enum km_check_kind kind;
	bool any_certificate; /* https: also one that nobody vouches for */
	bool aside;           /* of an endpoint's primary: says nothing about the service itself */
	char *target;         /* address, path or URL; NULL: EXEC, WATCHDOG */
	char *address;        /* http: connect here, whatever the URL says; NULL: as it says */
	char *body;           /* http: PCRE2 pattern, NULL: any body */
	char *send;           /* udp: what is sent; dns: name that is asked for */
	char **argv;          /* EXEC */
	uint64_t every_ns;
	uint64_t timeout_ns; /* at most every_ns: a check never overlaps itself */
	uint64_t within_ns;  /* file, watchdog: not older than that */
	uint64_t grace_ns;   /* after a start it is not unhealthy for so long */
	uint64_t status;     /* http: exactly that; 0: any from 200 to 299 */
	uint64_t rise, fall; /* successes and failures in a row that change the state */
};

/* What is known of a check, or of a service by all its checks. */
enum km_health {
	KM_HEALTH_UNKNOWN = 0, /* no checks, no result yet, or none that can be believed */
	KM_HEALTHY = 1,
	KM_UNHEALTHY = 2,
	KM_HEALTH_MAX
};

extern const char *const km_health_names[KM_HEALTH_MAX + 1];

void km_health_check_clear(struct km_health_check *c);

#endif
