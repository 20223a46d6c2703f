/* E-model: the values that G.107 and G.113 print, and its constants worked out from their formulas. */
/* links: client/emodel.c */
/* libs: -lm */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "client/emodel.h"

static void near(double got, double want, double by)
{
	if (!(fabs(got - want) <= by))
		fail_msg("%.4f, expected %.4f +- %.4f", got, want, by);
}

static double r_of(const struct emodel_codec *codec, double delay_ms, double loss, double burst)
{
	return emodel_r(&(struct emodel_in){ delay_ms, loss, burst, codec });
}

/* A codec without impairment. */
static const struct emodel_codec ideal = { .ie = 0, .bpl = 4.3 };

/* "the default values of all parameters give R = 93.2" */
static void default_case(void **state)
{
	(void)state;
	near(r_of(&ideal, 0, 0, 1), 93.2, 0.05);
	near(emodel_mos(93.2), 4.41, 0.005);
}

/* Clauses 7.2 and 7.3 with the defaults of table 2, written out: R at no delay is what they give, less listener echo (0.149). */
static void constants(void **state)
{
	const double olr = 10, rlr = 2, slr = 8, ps = 35, pr = 35, lstr = 18, ds = 3, nc = -70, nfor = -64;
	double nos = ps - slr - ds - 100 + 0.004 * pow(ps - olr - ds - 14, 2);
	double pre = pr + 10 * log10(1 + pow(10, (10 - lstr) / 10));
	double nor = rlr - 121 + pre + 0.008 * pow(pre - 35, 2);
	double no = 10 * log10(pow(10, nc / 10) + pow(10, nos / 10) + pow(10, nor / 10) + pow(10, (nfor + rlr) / 10));
	double ro = 15 - 1.5 * (slr + no);
	double xolr = olr + 0.2 * (64 + no - rlr);
	double iolr = 20 * (pow(1 + pow(xolr / 8, 8), 1 / 8.0) - xolr / 8);
	double s = -10 * log10(pow(10, -1.5) + pow(10, -6.5));
	double ist = 12 * pow(1 + pow((s - 13) / 6, 8), 1 / 8.0) - 28 * pow(1 + pow((s + 1) / 19.4, 35), 1 / 35.0) -
		     13 * pow(1 + pow((s - 3) / 33, 13), 1 / 13.0) + 29;
	double g = 1.07 + 0.258 * 37 + 0.0602 * 37 * 37;
	double iq = 15 * log10(1 + pow(10, (ro - 100) / 15 + 46 / 8.4 - g / 9) + pow(10, 46 / 30.0 - g / 40));

	(void)state;
	near(r_of(&ideal, 0, 0, 1), ro - (iolr + ist + iq) - 0.149, 0.002);
}

/* G.107 annex B, table B.1: the lower limits of user satisfaction. */
static void scores(void **state)
{
	(void)state;
	near(emodel_mos(90), 4.34, 0.005);
	near(emodel_mos(80), 4.03, 0.01);
	near(emodel_mos(70), 3.60, 0.005);
	near(emodel_mos(60), 3.10, 0.005);
	near(emodel_mos(50), 2.58, 0.006);
	near(emodel_mos(100), 4.5, 0);
	near(emodel_mos(130), 4.5, 0);
	near(emodel_mos(0), 1, 0);
	near(emodel_mos(-40), 1, 0);
	near(emodel_mos(3), 1, 0);	/* where the polynomial dips below the scale */
	for (double r = -10; r < 110; r += 0.5)
		assert_true(emodel_mos(r) >= 1 && emodel_mos(r) <= emodel_mos(r + 0.5));
}

/* G.113 appendix I: G.729A with random loss, of which Ie-eff is printed rounded. */
static void loss(void **state)
{
	static const struct emodel_codec g729a = { .ie = 11, .bpl = 19 };
	static const double table[][2] = { { 0, 11 }, { 0.5, 13 }, { 1, 15 }, { 1.5, 17 }, { 2, 19 }, { 3, 23 }, { 4, 26 }, { 8, 36 }, { 16, 49 } };

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		near(r_of(&ideal, 0, 0, 1) - r_of(&g729a, 0, table[i][0], 1), table[i][1], 0.6);
	/* Losses in a row are worse than alone. */
	assert_true(r_of(&emodel_opus, 50, 3, 2) < r_of(&emodel_opus, 50, 3, 1));
	near(r_of(&ideal, 0, 0, 1) - r_of(&emodel_g711, 0, 5, 1), 95 * 5 / 30.1, 0.001);
	assert_true(r_of(&emodel_opus, 0, 100, 1) < 20);
	assert_true(r_of(&emodel_opus, 0, 0, 1) > 91);
}

/* The known curve for TELR = 65 dB: flat to 150 ms, then steep; its values were worked out apart from this code. */
static void delay(void **state)
{
	(void)state;
	near(r_of(&ideal, 50, 0, 1), 91.8, 0.1);
	near(r_of(&ideal, 100, 0, 1), 90.7, 0.1);
	near(r_of(&ideal, 150, 0, 1), 89.5, 0.1);
	near(r_of(&ideal, 200, 0, 1), 85.8, 0.1);
	near(r_of(&ideal, 300, 0, 1), 72.7, 0.1);
	near(r_of(&ideal, 400, 0, 1), 62.2, 0.1);
	near(r_of(&ideal, 500, 0, 1), 54.8, 0.1);
	for (double t = 1; t < 5000; t++)
		assert_true(r_of(&ideal, t, 0, 1) > r_of(&ideal, t + 1, 0, 1));
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(emodel_words(emodel_mos(93.2)), "very good");
	assert_string_equal(emodel_words(emodel_mos(90)), "very good");
	assert_string_equal(emodel_words(emodel_mos(89)), "good");
	assert_string_equal(emodel_words(emodel_mos(80)), "good");
	assert_string_equal(emodel_words(emodel_mos(79)), "fair");
	assert_string_equal(emodel_words(emodel_mos(70)), "fair");
	assert_string_equal(emodel_words(emodel_mos(60)), "poor");
	assert_string_equal(emodel_words(emodel_mos(50)), "bad");
	assert_string_equal(emodel_words(emodel_mos(49)), "unusable");
	assert_string_equal(emodel_words(1), "unusable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_case), cmocka_unit_test(constants), cmocka_unit_test(scores),
		cmocka_unit_test(loss), cmocka_unit_test(delay), cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
