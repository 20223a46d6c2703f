/*
 * Traffic classes. Called by the datagram channels for each packet that they
 * queue or deliver; calls classify.
 *
 * Nothing in an RTP header says whether it is audio or video, and SDP passes us
 * by, mostly encrypted. Each RTP stream has a score instead. The time stamps of audio
 * advance with each packet by little: by no more than 30 ms of a 48 kHz clock, or
 * by a longer Opus packet. Those of video, at 90 kHz, stay for a whole frame, then leap by
 * a frame time or, in retransmissions, go back. Size is the weaker sign: stereo music makes
 * packets of 1,000 bytes, and a still picture ones of 150.
 */
#include "framing/traffic.h"

#include <string.h>

#include "framing/classify.h"
#include "framing/message.h"

enum {
	LARGE = 500,		/* bytes: a first packet above is video; audio is so only as stereo music, and found out soon */
	BURST_MIN = 250,	/* bytes of packets that share a time stamp: those of a telephone-event do so, too, but are small */
	LEAP_MIN = 100,		/* bytes of packets whose time stamp leaps: those of silent audio do so, too */
	STEP_SMALL = 1440,	/* 30 ms at 48 kHz; 62 frames/s at 90 kHz */
	STEP_OPUS = 960,	/* 20 ms at 48 kHz; no multiple up to 120 ms is the time of a usual frame rate at 90 kHz */
	SCORE_FIRST = 2,	/* by the first packet */
	SCORE_TYPE = 4,		/* by a payload type of the flow's that was learned before */
	SCORE_FLIP = 3,		/* the class follows the score from here on: never one packet alone */
	SCORE_SURE = 8,		/* the payload type is learned */
	SCORE_MAX = 12,
	DOUBT = 12,		/* so many packets more without a known stream than with one: it may be no RTP */
	DOUBT_MAX = 16,
	HANDSHAKE_MAX = 64,	/* encrypted records of DTLS 1.3 that may still belong to its handshake */
};

static bool has_type(const uint8_t set[16], unsigned type)
{
	return set[type / 8] >> type % 8 & 1;
}

void traffic_flow_init(struct traffic_flow *f)
{
	memset(f, 0, sizeof *f);
}

/* ---- by what is written on the packet ---- */

/* Both tables hold 1 more than the class; 0: nothing is said. */
enum { SAYS_AUDIO = TRAFFIC_AUDIO + 1, SAYS_VIDEO = TRAFFIC_VIDEO + 1, SAYS_BULK = TRAFFIC_BULK + 1 };

/* RFC 3551 section 6. */
static const uint8_t of_type[128] = {
	SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO,
	SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO, SAYS_AUDIO,
	[25] = SAYS_VIDEO, SAYS_VIDEO, [28] = SAYS_VIDEO, [31] = SAYS_VIDEO, SAYS_VIDEO, SAYS_VIDEO, SAYS_VIDEO,
};

/* RFC 4594, 5865, 8622 and 8837. */
static const uint8_t of_dscp[256] = {
	[1] = SAYS_BULK, [8] = SAYS_BULK,	/* LE, CS1 */
	[26] = SAYS_VIDEO, [28] = SAYS_VIDEO, [30] = SAYS_VIDEO, /* AF31 to AF33 */
	[34] = SAYS_VIDEO, [36] = SAYS_VIDEO, [38] = SAYS_VIDEO, /* AF41 to AF43 */
	[44] = SAYS_AUDIO, [46] = SAYS_AUDIO,	/* VOICE-ADMIT, EF */
};

/* DTLS carries data, too: the data channels of WebRTC, VPNs. Records of DTLS 1.3 do not show which they are. */
static bool is_handshake(struct traffic_flow *f, uint8_t content)
{
	if (content == 23 || content == 25)	/* application_data, tls12_cid */
		return false;
	if (content < 32) {
		f->hidden = 0;
		return true;
	}
	if (f->hidden == HANDSHAKE_MAX)
		return false;
	f->hidden++;
	return true;
}

static bool is_control(struct traffic_flow *f, const struct classify_result *r)
{
	switch (r->kind) {
	case CLASSIFY_STUN:
	case CLASSIFY_ZRTP:
	case CLASSIFY_RTCP:
		return true;
	case CLASSIFY_DTLS:
		return is_handshake(f, r->first);
	default:
		return false;
	}
}

/* ---- by size and cadence ---- */

static void doubt(struct traffic_flow *f)
{
	f->doubt += f->doubt < DOUBT_MAX;
}

/* What a payload type that is known, or else the first packet says. A bundle has one audio codec nearly always, so that a
 * second type with small packets is that of retransmissions, more likely. */
static void stream_begin(struct traffic_flow *f, struct traffic_stream *s, const struct classify_result *r, size_t n)
{
	bool audio = n <= LARGE && !f->has_audio;
	int score = SCORE_FIRST;

	if (has_type(f->audio_types, r->payload_type) || has_type(f->video_types, r->payload_type)) {
		audio = has_type(f->audio_types, r->payload_type);
		score = SCORE_TYPE;
	} else if (f->doubt >= DOUBT) {
		score = 0;
	}
	*s = (struct traffic_stream){
		.ssrc = r->ssrc,
		.used = true,
		.score = (int8_t)(audio ? score : -score),
		.class = !score ? TRAFFIC_BULK : audio ? TRAFFIC_AUDIO : TRAFFIC_VIDEO,
	};
	doubt(f);
}

/* What this packet says after the one before: > 0 for audio. */
static int evidence(const struct traffic_stream *s, const struct classify_result *r, size_t n, uint16_t step)
{
	if (r->timestamp == s->timestamp)
		return n > BURST_MIN ? -2 : 0;
	if (step)
		return n <= LARGE || step == s->step ? 1 : -1;	/* MPEG-TS has small steps as well, but unequal ones */
	if (r->timestamp - s->timestamp <= 2 * STEP_SMALL)
		return n > LARGE ? -1 : 0;
	return n > LEAP_MIN ? -1 : 0;
}

/* The step of the time stamp if audio may have such a one, else 0. */
static uint16_t step_of(const struct traffic_stream *s, const struct classify_result *r)
{
	uint32_t step = r->timestamp - s->timestamp;

	return step <= STEP_SMALL || (step <= 6 * STEP_OPUS && step % STEP_OPUS == 0) ? (uint16_t)step : 0;
}

static void learn_type(struct traffic_flow *f, unsigned type, bool audio)
{
	uint8_t bit = (uint8_t)(1 << type % 8), *yes = audio ? f->audio_types : f->video_types;
	uint8_t *no = audio ? f->video_types : f->audio_types;

	yes[type / 8] |= bit;
	no[type / 8] &= (uint8_t)~bit;
	f->has_audio |= audio;
}

static void stream_go_on(struct traffic_flow *f, struct traffic_stream *s, const struct classify_result *r, size_t n)
{
	uint16_t step = step_of(s, r);
	int before = s->score, score = before;

	f->doubt -= f->doubt > 0;
	if (r->sequence != (uint16_t)(s->sequence + 1))
		return;
	score += evidence(s, r, n, step);
	s->step = step;
	if (score > SCORE_MAX || score < -SCORE_MAX || score == before)
		return;
	s->score = (int8_t)score;
	if (score >= SCORE_FLIP)
		s->class = TRAFFIC_AUDIO;
	else if (score <= -SCORE_FLIP)
		s->class = TRAFFIC_VIDEO;
	if (score == SCORE_SURE || score == -SCORE_SURE || score == -SCORE_SURE - 1)
		learn_type(f, r->payload_type, score > 0);
}

static const struct traffic_stream *stream_look(struct traffic_flow *f, const struct classify_result *r, size_t n)
{
	unsigned set = r->ssrc * UINT32_C(2654435761) >> 29;
	struct traffic_stream *s = f->stream[set], *end = s + TRAFFIC_WAYS;

	while (s < end && (s->ssrc != r->ssrc || !s->used))
		s++;
	if (s < end) {
		stream_go_on(f, s, r, n);
	} else {
		s = &f->stream[set][f->next[set]++ % TRAFFIC_WAYS];
		stream_begin(f, s, r, n);
	}
	s->sequence = r->sequence;
	s->timestamp = r->timestamp;
	return s;
}

/* ---- the answer ---- */

static enum traffic class_of_rtp(struct traffic_flow *f, const struct traffic_rules *rules, const struct classify_result *r,
				 size_t n, uint8_t dscp)
{
	const struct traffic_stream *s;

	if (has_type(rules->audio_types, r->payload_type))
		return TRAFFIC_AUDIO;
	if (has_type(rules->video_types, r->payload_type))
		return TRAFFIC_VIDEO;
	if (of_type[r->payload_type] && f->doubt < DOUBT)
		return (enum traffic)(of_type[r->payload_type] - 1);
	s = stream_look(f, r, n);
	/* Sockets that bear audio and video are often marked for audio as a whole, and copies of video are dear. */
	if (!of_dscp[dscp] || (of_dscp[dscp] == SAYS_AUDIO && s->score <= -SCORE_SURE))
		return (enum traffic)s->class;
	return (enum traffic)(of_dscp[dscp] - 1);
}

static enum traffic class_of_other(struct traffic_flow *f, const struct classify_result *r, uint8_t dscp)
{
	if (r->kind == CLASSIFY_OTHER)
		doubt(f);
	return of_dscp[dscp] ? (enum traffic)(of_dscp[dscp] - 1) : TRAFFIC_BULK;
}

static enum traffic class_of(struct traffic_flow *f, const struct traffic_rules *rules, const struct classify_result *r,
			     size_t n, uint8_t dscp)
{
	static const uint8_t configured[] = {
		[CLASS_AUDIO] = TRAFFIC_AUDIO, [CLASS_VIDEO] = TRAFFIC_VIDEO,
		[CLASS_CONTROL] = TRAFFIC_CONTROL, [CLASS_BULK] = TRAFFIC_BULK,
	};

	if (is_control(f, r))
		return TRAFFIC_CONTROL;
	if (rules->class != CLASS_AUTO && rules->class < sizeof configured)
		return (enum traffic)configured[rules->class];
	return r->kind == CLASSIFY_RTP ? class_of_rtp(f, rules, r, n, dscp) : class_of_other(f, r, dscp);
}

struct traffic_mark traffic_look(struct traffic_flow *f, const struct traffic_rules *rules, const uint8_t *p, size_t n, uint8_t dscp)
{
	struct traffic_mark mark = { .class = TRAFFIC_BULK };
	struct classify_result r;

	if (rules->class == CLASS_BULK)
		return mark;
	r = classify(p, n);
	mark.class = class_of(f, rules, &r, n, dscp);
	if (mark.class == TRAFFIC_VIDEO && r.kind == CLASSIFY_RTP)
		mark = (struct traffic_mark){ TRAFFIC_VIDEO, true, r.marker, r.ssrc, r.timestamp };
	return mark;
}

uint32_t traffic_deadline_ms(enum traffic class)
{
	return class == TRAFFIC_AUDIO ? 200 : class == TRAFFIC_VIDEO ? 400 : 1000;
}

const char *traffic_name(enum traffic class)
{
	static const char *const names[] = { "control", "audio", "video", "bulk" };

	return (size_t)class < sizeof names / sizeof *names ? names[class] : "unknown";
}
