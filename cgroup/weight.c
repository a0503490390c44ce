/* cpu.shares of version 1 as cpu.weight. */
#include "cgroup/limits.h"

/* ln((1 + z) / (1 - z)) / 2, for |z| < 1/3. */
static double atanh_near_0(double z)
{
	double sum = 0;
	double power = z;

	for (int n = 1; n < 60; n += 2, power *= z * z)
		sum += power / n;
	return sum;
}

static const double ln2 = 0.693147180559945309417;
static const double ln10 = 2.302585092994045684018;

/* The static program does without libm. */
static double log2_of(uint64_t n)
{
	int whole = 63 - __builtin_clzll(n);
	double m = (double)n / (double)(1ULL << whole);

	return whole + 2 * atanh_near_0((m - 1) / (m + 1)) / ln2;
}

static double power_of_10(double x)
{
	int whole = (int)x;
	double y = (x - whole) * ln10;
	double sum = 0;
	double term = 1;

	for (int n = 1; n < 40; n++) {
		sum += term;
		term *= y / n;
	}
	for (; whole > 0; whole--)
		sum *= 10;
	return sum;
}

/* The quadratic curve that Kubernetes, runc and crun agreed on in 2025, through (2, 1),
 * (1024, 100), (262144, 10000): 10^((l^2 + 125 l) / 612 - 7 / 34) with l = log2(shares), rounded
 * up. */
uint64_t cpu_weight_of_shares(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2_of(shares);
	double weight = power_of_10((l * l + 125 * l) / 612 - 7.0 / 34);
	/* 1024 must become 100, and not 101 for the last bits of a double */
	uint64_t down = (uint64_t)weight;
	return weight - (double)down > 1e-9 ? down + 1 : down;
}
