/*
 * E-model: how people would judge a call, computed from what its path does
 * (ITU-T G.107, narrowband; all that is not given here has the default value of its
 * table 2). An estimate for planning: not what one person will say of one call.
 */
#ifndef CLIENT_EMODEL_H
#define CLIENT_EMODEL_H

/* What a codec does to speech. */
struct emodel_codec {
	double ie;		/* equipment impairment factor without loss */
	double bpl;		/* packet-loss robustness factor */
	double delay_ms;	/* of a frame of 20 ms and of what the codec looks ahead */
};

/* G.711 with concealment of lost packets: G.113 appendix I. */
extern const struct emodel_codec emodel_g711;
/*
 * Opus at the rates of calls, approximately: no Recommendation has values for it on this scale. What M. Alahmadi published
 * in 2021 (narrowband, constant rate, from an instrumental model) falls to ie = 2.03 at 11 kbit/s, the highest rate
 * there, with bpl = 15.95 for random loss; calls have twice that rate and more, so that ie is taken for 0.
 */
extern const struct emodel_codec emodel_opus;

struct emodel_in {
	double delay_ms;	/* one way, from mouth to ear: codec, path and jitter buffer */
	double loss_percent;	/* packets that are not there when they are to be played, 0 to 100 */
	double burst;		/* mean length of runs of them, as a multiple of that of random loss; >= 1 */
	const struct emodel_codec *codec;
};

/* The transmission rating, up to 93.2; may be below 0. */
double emodel_r(const struct emodel_in *);
/* The mean opinion score (conversational quality) for it, 1 to 4.5: G.107 annex B. */
double emodel_mos(double r);
/* "very good" to "unusable", by the limits of G.107 annex B and G.109. */
const char *emodel_words(double mos);

#endif
