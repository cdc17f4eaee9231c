/* SPDX-License-Identifier: Apache-2.0 */
/* What a service, or another entity, can run out of. One row each in km_resources; append only. */
#ifndef KM_RESOURCE_H
#define KM_RESOURCE_H

enum km_resource {
	KM_MEMORY = 0,       /* bytes against the cgroup's limit */
	KM_DESCRIPTORS = 1,  /* of the fullest process, against its RLIMIT_NOFILE */
	KM_THREADS = 2,      /* tasks in the cgroup against pids.max */
	KM_DISK = 3,         /* bytes of a filesystem, against what users without privilege get */
	KM_INODES = 4,       /* of a filesystem */
	KM_ACCEPT_QUEUE = 5, /* connections that wait in the service's fullest listener */
	KM_CONNTRACK = 6,    /* tracked connections of the host */
	KM_PORTS = 7,        /* local ports of the ephemeral range in use, host */
	KM_HOST_PIDS = 8,    /* tasks of the host against pid_max and threads-max */
	KM_HOST_FILES = 9,   /* open files of the host against file-max */
	KM_HOST_MEMORY = 10, /* bytes of the host that are not available without swapping */
	KM_RESOURCE_MAX
};

/* "memory", "descriptors", "disk": as rules write them; NULL-terminated. */
extern const char *const km_resource_names[KM_RESOURCE_MAX + 1];
/* "bytes" or "count". */
const char *km_resource_unit(enum km_resource r);

#endif
