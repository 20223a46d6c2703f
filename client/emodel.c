/*
 * The E-model. Called by the simulated call of `culvert doctor`; pure arithmetic.
 * The names are those of G.107.
 */
#include "client/emodel.h"

#include <math.h>
#include <stddef.h>

/* With default values these depend on nothing else (clauses 7.2 and 7.3; the test works them out). */
#define NO (-61.179)	/* sum of all noise, dBm0p */
#define RO 94.769	/* basic signal-to-noise ratio */
#define IS 1.414	/* impairments simultaneous with the voice */
#define RLR 2.0		/* receive loudness rating, dB */
#define TELR 65.0	/* talker echo loudness rating, dB */
#define WEPL 110.0	/* weighted echo path loss, dB */

const struct emodel_codec emodel_g711 = { .ie = 0, .bpl = 25.1, .delay_ms = 20 };
const struct emodel_codec emodel_opus = { .ie = 0, .bpl = 16, .delay_ms = 26.5 };

/* How 7.4 joins two ratings that do not simply add up. */
static double joined(double difference, double curve)
{
	return difference / 2 + sqrt(difference * difference / 4 + curve);
}

/* Idte: hearing oneself. */
static double talker_echo(double t)
{
	double terv = TELR - 40 * log10((1 + t / 10) / (1 + t / 150)) + 6 * exp(-0.3 * t * t);
	double roe = -1.5 * (NO - RLR), re = 80 + 2.5 * (terv - 14);

	return t < 1 ? 0 : (joined(roe - re, 100) - 1) * (1 - exp(-t));
}

/* Idle: hearing the other twice, after a round trip. */
static double listener_echo(double t)
{
	double rle = 10.5 * (WEPL + 7) * pow(2 * t + 1, -0.25);

	return joined(RO - rle, 169);
}

/* Idd: waiting for the other. */
static double too_late(double t)
{
	double x = log2(t / 100);

	return t <= 100 ? 0 : 25 * (pow(1 + pow(x, 6), 1 / 6.0) - 3 * pow(1 + pow(x / 3, 6), 1 / 6.0) + 2);
}

/* Ie-eff: codec and loss, clause 7.5. */
static double equipment(const struct emodel_in *in)
{
	double ie = in->codec->ie, loss = in->loss_percent;

	return ie + (95 - ie) * loss / (loss / in->burst + in->codec->bpl);
}

double emodel_r(const struct emodel_in *in)
{
	double t = in->delay_ms;

	return RO - IS - talker_echo(t) - listener_echo(t) - too_late(t) - equipment(in);
}

double emodel_mos(double r)
{
	double mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;

	return r <= 0 || mos < 1 ? 1 : r >= 100 ? 4.5 : mos;
}

const char *emodel_words(double mos)
{
	static const struct {
		double least;	/* of R = 90, 80, 70, 60, 50 */
		const char *words;
	} table[] = {
		{ 4.34, "very good" }, { 4.02, "good" }, { 3.60, "fair" }, { 3.10, "poor" }, { 2.58, "bad" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (mos + 0.005 >= table[i].least)
			return table[i].words;
	return "unusable";
}
