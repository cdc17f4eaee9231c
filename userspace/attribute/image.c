// SPDX-License-Identifier: Apache-2.0
/* Deploys: a service's main process runs another version of what it ran before. Versions are
 * compared under one name, so that a wrapper and the program that it becomes are not taken for two
 * versions of one thing; the folder may be another, as where each release has its own. */
#include "attribute/state.h"

struct km_image km_image_of(const char *path, uint32_t version)
{
	const char *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;

	if (!name || !*name || !version)
		return (struct km_image){ 0 };
	return (struct km_image){ (uint32_t)km_hash(name, strlen(name)) | 1, version };
}

void km_image_runs(struct km_attribute *a, struct km_service_row *s, const struct km_process_row *p)
{
	struct km_image *all = s->image;
	uint32_t at = 0;

	if (!p->image.name)
		return;
	while (at < s->pub.images && all[at].name != p->image.name)
		at++;
	if (at < s->pub.images && all[at].version != p->image.version)
		s->pub.deployed_ns = km_attribute_misc(a)->now_ns;
	if (at == s->pub.images && at < KM_IMAGES_MAX)
		s->pub.images++;
	if (at == KM_IMAGES_MAX)
		at--;
	memmove(&all[1], &all[0], at * sizeof(all[0]));
	all[0] = p->image;
}
