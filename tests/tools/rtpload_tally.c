/*
 * Counts one direction: received, lost, duplicate, reordered, and the delays
 * in a histogram of 512 linear steps per power of two of ns (0.2 % error).
 * Called by the receiver for each packet, by main for the report.
 */
#include "tests/tools/rtpload.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/tool.h"

#define SUB_BITS 9
#define SUB (1 << SUB_BITS)
#define SLOTS (SUB * (65 - SUB_BITS))
#define SEEN_BITS 16384 /* window for telling duplicates, packets */

struct lane { /* one stream of one call */
	bool any;
	uint32_t newest;
	uint64_t seen[SEEN_BITS / 64];
	int64_t delay; /* of the packet before, for the jitter */
	int64_t arrived; /* the newest arrival, for the gap */
	double jitter;
	uint8_t *frame; /* packets that arrived of each frame, or NULL */
};

struct rtpload_tally {
	const struct rtpload_options *options;
	const struct rtpload_stream *framed; /* the kind whose frames are counted, or NULL */
	uint32_t frames; /* of one call, at most */
	uint64_t sent, received, duplicate, reordered, bytes, foreign;
	uint64_t late[RTPLOAD_MAX_DEADLINES];
	int64_t min, max;
	int64_t gap; /* the longest time without an arrival within a lane, ns */
	double sum;
	uint64_t histogram[SLOTS];
	struct lane lane[];
};

struct rtpload_tally *rtpload_tally_new(const struct rtpload_options *o, int stream)
{
	size_t lanes = (size_t)o->calls * RTPLOAD_MAX_STREAMS;
	struct rtpload_tally *t = tool_calloc(1, sizeof *t + lanes * sizeof t->lane[0]);
	t->options = o;
	if (stream == RTPLOAD_ALL || !o->stream[stream].framed)
		return t;
	t->framed = &o->stream[stream];
	t->frames = (uint32_t)((o->warmup + o->seconds + 1) * 1e9 / t->framed->interval_ns);
	for (int i = 0; i < o->calls; i++)
		t->lane[i * RTPLOAD_MAX_STREAMS + stream].frame = tool_calloc(t->frames, 1);
	return t;
}

void rtpload_tally_free(struct rtpload_tally *t)
{
	for (int i = 0; t && i < t->options->calls * RTPLOAD_MAX_STREAMS; i++)
		free(t->lane[i].frame);
	free(t);
}

void rtpload_tally_foreign(struct rtpload_tally *t)
{
	t->foreign++;
}

void rtpload_tally_set_sent(struct rtpload_tally *t, uint64_t packets)
{
	t->sent = packets;
}

uint64_t rtpload_tally_received(const struct rtpload_tally *t)
{
	return t->received;
}

static int slot_of(uint64_t v)
{
	if (v < SUB)
		return (int)v;
	int e = 63 - __builtin_clzll(v);
	return (e - SUB_BITS + 1) * SUB + (int)((v >> (e - SUB_BITS)) & (SUB - 1));
}

static double value_of(int slot)
{
	if (slot < SUB)
		return slot;
	int e = slot / SUB + SUB_BITS - 1;
	uint64_t low = (uint64_t)(SUB + slot % SUB) << (e - SUB_BITS);
	return (double)low + (double)(UINT64_C(1) << (e - SUB_BITS)) / 2;
}

/* Marks a sequence as seen. False for one seen before or too old to tell. */
static bool take(struct rtpload_tally *t, struct lane *l, uint32_t sequence)
{
	uint64_t *word = &l->seen[sequence % SEEN_BITS / 64];
	uint64_t bit = UINT64_C(1) << (sequence % 64);
	int32_t ahead = l->any ? (int32_t)(sequence - l->newest) : 1;
	if (ahead > 0) {
		if (!l->any || ahead >= SEEN_BITS)
			memset(l->seen, 0, sizeof l->seen);
		else
			for (uint32_t q = l->newest + 1; q != sequence + 1; q++)
				l->seen[q % SEEN_BITS / 64] &= ~(UINT64_C(1) << (q % 64));
		l->any = true;
		l->newest = sequence;
	} else if (-ahead >= SEEN_BITS || (*word & bit)) {
		t->duplicate++;
		return false;
	} else {
		t->reordered++;
	}
	*word |= bit;
	return true;
}

void rtpload_tally_add(struct rtpload_tally *t, const struct rtpload_tag *tag, int64_t arrived_ns, int size)
{
	if (tag->call >= t->options->calls || tag->stream >= RTPLOAD_MAX_STREAMS) {
		t->foreign++;
		return;
	}
	struct lane *l = &t->lane[tag->call * RTPLOAD_MAX_STREAMS + tag->stream];
	bool first = !l->any;
	if (!take(t, l, tag->sequence))
		return;
	int64_t delay = arrived_ns - tag->sent_ns;
	if (delay < 0)
		delay = 0;
	if (!t->received || delay < t->min)
		t->min = delay;
	if (delay > t->max)
		t->max = delay;
	t->received++;
	t->bytes += (uint64_t)size;
	t->sum += (double)delay;
	t->histogram[slot_of((uint64_t)delay)]++;
	for (int i = 0; i < t->options->deadlines; i++)
		t->late[i] += (double)delay > t->options->deadline_ms[i] * 1e6;
	if (!first) /* RFC 3550 section 6.4.1, with the true send times */
		l->jitter += (fabs((double)(delay - l->delay)) - l->jitter) / 16;
	l->delay = delay;
	if (!first && arrived_ns - l->arrived > t->gap)
		t->gap = arrived_ns - l->arrived;
	l->arrived = arrived_ns;
	if (l->frame && tag->sequence / (uint32_t)t->framed->burst < t->frames)
		l->frame[tag->sequence / (uint32_t)t->framed->burst]++;
}

double rtpload_tally_percentile_ms(const struct rtpload_tally *t, double q)
{
	uint64_t want = (uint64_t)ceil(q * (double)t->received), got = 0;
	for (int i = 0; i < SLOTS; i++) {
		got += t->histogram[i];
		if (got && got >= want)
			return fmin(fmax(value_of(i), (double)t->min), (double)t->max) / 1e6;
	}
	return 0;
}

static uint64_t lost(const struct rtpload_tally *t)
{
	return t->sent > t->received ? t->sent - t->received : 0;
}

static double percent(uint64_t n, uint64_t of)
{
	return of ? 100.0 * (double)n / (double)of : 0;
}

static double mean_jitter_ms(const struct rtpload_tally *t)
{
	double sum = 0;
	int n = 0;
	for (int i = 0; i < t->options->calls * RTPLOAD_MAX_STREAMS; i++)
		if (t->lane[i].any) {
			sum += t->lane[i].jitter / 1e6;
			n++;
		}
	return n ? sum / n : 0;
}

/* Late is what arrived after the deadline or not at all. */
static double late_percent(const struct rtpload_tally *t, int deadline)
{
	return percent(t->late[deadline] + lost(t), t->sent);
}

double rtpload_tally_missing(const struct rtpload_tally *t)
{
	return late_percent(t, t->options->deadlines - 1);
}

/* Of a frame all packets arrived, or some, or none. */
static void frames_json(const struct rtpload_tally *t, FILE *f)
{
	uint64_t whole = 0, torn = 0;
	for (int i = 0; i < t->options->calls * RTPLOAD_MAX_STREAMS; i++)
		for (uint32_t k = 0; t->lane[i].frame && k < t->frames; k++) {
			whole += t->lane[i].frame[k] == t->framed->burst;
			torn += t->lane[i].frame[k] && t->lane[i].frame[k] < t->framed->burst;
		}
	fprintf(f, ",\"frames\":{\"sent\":%" PRIu64 ",\"whole\":%" PRIu64 ",\"torn\":%" PRIu64 "}",
		t->sent / (uint64_t)t->framed->burst, whole, torn);
}

/* Pairs of ms (at most) and packets, in steps of 1/32 of a power of two. */
static void histogram_json(const struct rtpload_tally *t, FILE *f)
{
	const int step = SUB / 32;
	const char *comma = "";
	fputs(",\"histogram\":[", f);
	for (int i = 0; i < SLOTS; i += step) {
		uint64_t packets = 0;
		for (int k = 0; k < step; k++)
			packets += t->histogram[i + k];
		if (packets) {
			fprintf(f, "%s[%.4g,%" PRIu64 "]", comma, value_of(i + step) / 1e6, packets);
			comma = ",";
		}
	}
	fputc(']', f);
}

void rtpload_tally_json(const struct rtpload_tally *t, FILE *f)
{
	fprintf(f, "{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"duplicate\":%" PRIu64
		",\"reordered\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"bytes\":%" PRIu64, t->sent, t->received, lost(t),
		t->duplicate, t->reordered, t->foreign, t->bytes);
	if (t->received)
		fprintf(f, ",\"min_ms\":%.4f,\"mean_ms\":%.4f,\"p50_ms\":%.4f,\"p90_ms\":%.4f,\"p99_ms\":%.4f"
			",\"p999_ms\":%.4f,\"max_ms\":%.4f,\"jitter_ms\":%.4f,\"gap_ms\":%.4f", (double)t->min / 1e6,
			t->sum / (double)t->received / 1e6, rtpload_tally_percentile_ms(t, 0.5), rtpload_tally_percentile_ms(t, 0.9),
			rtpload_tally_percentile_ms(t, 0.99), rtpload_tally_percentile_ms(t, 0.999), (double)t->max / 1e6, mean_jitter_ms(t), (double)t->gap / 1e6);
	for (int i = 0; i < t->options->deadlines; i++)
		fprintf(f, ",\"late%g_pct\":%.4f", t->options->deadline_ms[i], late_percent(t, i));
	if (t->framed)
		frames_json(t, f);
	if (t->options->histogram)
		histogram_json(t, f);
	fputc('}', f);
}

void rtpload_tally_text(const struct rtpload_tally *t, const char *name, FILE *f)
{
	fprintf(f, "%-4s sent %" PRIu64 ", received %" PRIu64 ", lost %" PRIu64 ", duplicate %" PRIu64
		", reordered %" PRIu64 "\n", name, t->sent, t->received, lost(t), t->duplicate, t->reordered);
	if (!t->received)
		return;
	fprintf(f, "     delay ms: min %.3f, p50 %.3f, p99 %.3f, p99.9 %.3f, max %.3f, jitter %.3f", (double)t->min / 1e6,
		rtpload_tally_percentile_ms(t, 0.5), rtpload_tally_percentile_ms(t, 0.99), rtpload_tally_percentile_ms(t, 0.999), (double)t->max / 1e6, mean_jitter_ms(t));
	for (int i = 0; i < t->options->deadlines; i++)
		fprintf(f, "; later than %g ms or lost: %.3f %%", t->options->deadline_ms[i], late_percent(t, i));
	fputc('\n', f);
}
