/* SPDX-License-Identifier: Apache-2.0 */
/* What a service can run out of. One row each in km_resource_name(); append only. */
#ifndef KM_RESOURCE_H
#define KM_RESOURCE_H

enum km_resource {
	KM_MEMORY = 0,      /* bytes against the cgroup's limit */
	KM_DESCRIPTORS = 1, /* of the fullest process, against its RLIMIT_NOFILE */
	KM_THREADS = 2,     /* tasks in the cgroup against pids.max */
	KM_RESOURCE_MAX
};

/* "memory", "descriptors", "threads": as rules write them; NULL-terminated. */
extern const char *const km_resource_names[KM_RESOURCE_MAX + 1];

#endif
