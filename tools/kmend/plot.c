// SPDX-License-Identifier: Apache-2.0
#include "plot.h"

#include <math.h>

#include "base/text.h"

/* What lies ahead gets no more room than twice the history. */
#define AHEAD_MAX 2.0
/* A lowest level above this share of the highest: the scale does not begin at 0. */
#define FROM_ZERO 0.5
#define MARGIN    0.05

struct canvas {
	char cell[KM_PLOT_HEIGHT][KM_PLOT_WIDTH + 1];
	double from_s, to_s; /* now is 0 */
	double bottom, top;  /* level */
};

/* SHARE of 0 to STEPS, -1 or STEPS + 1 if it is outside: far ones are no integers. */
static int place(double share, int steps)
{
	if (!(share > -1))
		return -1;
	return share < 2 ? (int)floor(share * steps + 0.5) : steps + 1;
}

static int column(const struct canvas *c, double t_s)
{
	return place((t_s - c->from_s) / (c->to_s - c->from_s), KM_PLOT_WIDTH - 1);
}

static int row(const struct canvas *c, double level)
{
	return place(1 - (level - c->bottom) / (c->top - c->bottom), KM_PLOT_HEIGHT - 1);
}

/* Outside of the canvas nothing is drawn; OVER: whatever is there already. */
static void draw(struct canvas *c, int x, int y, char mark, bool over)
{
	if (x < 0 || x >= KM_PLOT_WIDTH || y < 0 || y >= KM_PLOT_HEIGHT)
		return;
	if (over || c->cell[y][x] == ' ')
		c->cell[y][x] = mark;
}

static void measure(struct canvas *c, const struct km_plot *p)
{
	double now = p->t_s[p->count - 1], low = p->level[0], high = p->level[0], ahead;

	for (size_t i = 0; i < p->count; i++) {
		low = fmin(low, p->level[i]);
		high = fmax(high, p->level[i]);
	}
	high = fmax(high, p->limit);
	c->bottom = low > 0 && low < FROM_ZERO * high ? 0 : low;
	c->top = high > c->bottom ? high + MARGIN * (high - c->bottom) : c->bottom + 1;
	c->bottom -= c->bottom > 0 ? MARGIN * (c->top - c->bottom) : 0;
	c->from_s = p->t_s[0] - now;
	ahead = p->eta_s < 0 ? 0 : fmin(p->eta_hi_s, -AHEAD_MAX * c->from_s);
	c->to_s = ahead > 0 ? ahead * (1 + MARGIN) : 0;
}

static void draw_limit(struct canvas *c, const struct km_plot *p)
{
	int y = row(c, p->limit);

	if (p->limit < 0)
		return;
	for (int x = 0; x < KM_PLOT_WIDTH; x++)
		draw(c, x, y, '-', true);
	if (p->eta_s < 0)
		return;
	for (int x = column(c, p->eta_lo_s); x <= column(c, p->eta_hi_s); x++)
		draw(c, x, y, '=', true);
	draw(c, column(c, p->eta_lo_s), y, '[', true);
	draw(c, column(c, p->eta_hi_s), y, ']', true);
	draw(c, column(c, p->eta_s), y, 'X', true);
}

static void draw_line(struct canvas *c, const struct km_plot *p)
{
	if (!(p->slope > 0))
		return;
	for (int x = 0; x < KM_PLOT_WIDTH; x++) {
		double t = c->from_s + (c->to_s - c->from_s) * x / (KM_PLOT_WIDTH - 1);

		if (t >= -p->span_s)
			draw(c, x, row(c, p->fitted + p->slope * t), '.', false);
	}
}

static const char *level_text(const struct km_plot *p, double level, char *out, size_t size)
{
	if (p->bytes && level >= 0)
		return km_text_bytes((uint64_t)level, out, size);
	snprintf(out, size, "%.5g", level);
	return out;
}

static const char *time_text(double t_s, char *out, size_t size)
{
	return km_text_duration((uint64_t)(fabs(t_s) * (double)KM_NS_PER_S), out, size);
}

static void print_times(FILE *out, const struct canvas *c)
{
	char line[KM_PLOT_WIDTH + 1], text[32];
	int now = column(c, 0);

	memset(line, '-', KM_PLOT_WIDTH);
	line[KM_PLOT_WIDTH] = '\0';
	line[now < KM_PLOT_WIDTH ? now : KM_PLOT_WIDTH - 1] = '+';
	fprintf(out, "%12s +%s\n", "", line);
	fprintf(out, "%12s -%-*s", "", now > 12 ? now - 4 : 8,
	        time_text(c->from_s, text, sizeof(text)));
	fputs("now", out);
	if (c->to_s > 0)
		fprintf(out, "%*s+%s", KM_PLOT_WIDTH - now > 14 ? KM_PLOT_WIDTH - now - 10 : 2, "",
		        time_text(c->to_s, text, sizeof(text)));
	fputc('\n', out);
}

static void print_canvas(FILE *out, const struct canvas *c, const struct km_plot *p)
{
	for (int y = 0; y < KM_PLOT_HEIGHT; y++) {
		char text[32] = "";

		if (p->limit >= 0 && y == row(c, p->limit))
			level_text(p, p->limit, text, sizeof(text));
		else if (y == row(c, p->level[p->count - 1]))
			level_text(p, p->level[p->count - 1], text, sizeof(text));
		else if (y == KM_PLOT_HEIGHT - 1)
			level_text(p, c->bottom, text, sizeof(text));
		fprintf(out, "%12s |%s\n", text, c->cell[y]);
	}
	print_times(out, c);
	fprintf(out, "%12s * measured%s%s%s\n", "", p->slope > 0 ? "   . line" : "",
	        p->limit >= 0 ? "   - limit" : "",
	        p->eta_s >= 0 ? "   [=X=] soonest, expected, latest" : "");
}

void km_plot_print(FILE *out, const struct km_plot *p)
{
	struct canvas c = { 0 };

	if (p->count < 2 || !(p->t_s[0] < p->t_s[p->count - 1]))
		return;
	for (int y = 0; y < KM_PLOT_HEIGHT; y++) {
		memset(c.cell[y], ' ', KM_PLOT_WIDTH);
		c.cell[y][KM_PLOT_WIDTH] = '\0';
	}
	measure(&c, p);
	draw_limit(&c, p);
	for (size_t i = 0; i < p->count; i++)
		draw(&c, column(&c, p->t_s[i] - p->t_s[p->count - 1]), row(&c, p->level[i]), '*',
		     true);
	draw_line(&c, p);
	print_canvas(out, &c, p);
}
