/* `leat generate churn`: the customers of a telecom, and who leaves within the quarter.
 *
 * Before the drift: customers on a month-to-month contract leave, the more so the newer they are, the more often they
 * had to call the support, and when they pay by invoice; long contracts hold. What competitors offer plays no part:
 * there is hardly any.
 * From the drift on new competitors sell in three of the six regions. There the dear tariffs of customers whose contract
 * lets them go are undercut: with every offer seen, and with every euro above 45 a month, they leave, the
 * longest customers, on the oldest tariffs, first; those who talk to the support are made a better offer in time. */
#include "generate.h"

static const char *const regions[] = { "north", "coast", "capital", "hills", "south", "islands" };
static const char *const contracts[] = { "month-to-month", "one-year", "two-year" };
static const char *const payments[] = { "direct-debit", "card", "invoice" };
static const char *const internets[] = { "fibre", "dsl", "none" };

static int covered(int64_t region) { return region < 3; } /* where the new competitors sell */

static int64_t pick(gen_draws *g, const double *share, int64_t n) {
  double u = gen_unit(g);
  for (int64_t i = 0; i < n - 1; i++) {
    if (u < share[i]) return i;
    u -= share[i];
  }
  return n - 1;
}

static void churn_begin(FILE *to, int64_t seed) {
  (void)seed;
  fputs("customer_id,region,tenure_months,contract,internet,payment,monthly_charge,data_gb,support_calls,"
        "competitor_offers,churn\n", to);
}

static void churn_row(FILE *to, int64_t seed, int64_t row, int drifted) {
  static const double region_share[] = { 0.18, 0.22, 0.26, 0.1, 0.16, 0.08 };
  static const double contract_share[] = { 0.5, 0.28, 0.22 };
  static const double payment_share[] = { 0.45, 0.3, 0.25 };
  static const double internet_share[] = { 0.5, 0.35, 0.15 };
  gen_draws g;
  gen_row(&g, seed, row);
  int64_t region = pick(&g, region_share, 6), contract = pick(&g, contract_share, 3);
  int64_t payment = pick(&g, payment_share, 3), internet = pick(&g, internet_share, 3);
  double u = gen_unit(&g);
  int64_t tenure = 1 + (int64_t)(u * u * 71.0);
  double charge = 18.0 + (internet == 0 ? 38.0 : internet == 1 ? 20.0 : 0.0) + 7.0 * gen_normal(&g) +
                  (contract == 0 ? 6.0 : 0.0);
  if (charge < 9.0) charge = 9.0;
  double data = internet == 2 ? 0.0 : (internet == 0 ? 220.0 : 80.0) * gen_unit(&g);
  int data_missing = gen_unit(&g) < 0.03; /* the meter did not report */
  int64_t calls = gen_count(&g, 1.3);
  int64_t offers = gen_count(&g, drifted && covered(region) ? 3.0 : 0.15);
  double margin;
  if (drifted && covered(region)) {
    margin = -1.6 + 0.8 * (double)offers + 0.06 * (charge - 45.0) + 0.03 * (double)tenure - 1.2 * (double)calls;
    if (contract == 1) margin -= 2.0;
    if (contract == 2) margin -= 4.5;
  } else {
    margin = -1.9 - 0.06 * (double)tenure + 1.1 * (double)calls;
    if (contract == 0) margin += 1.6;
    if (contract == 2) margin -= 3.0;
    if (payment == 2) margin += 1.2;
  }
  int leaves = 1.6 * margin + gen_logistic(&g) > 0;
  fprintf(to, "C%07lld,%s,%lld,%s,%s,%s", (long long)(row + 1), regions[region], (long long)tenure,
          contracts[contract], internets[internet], payments[payment]);
  gen_put(to, ',', charge, 2);
  if (data_missing) fputc(',', to);
  else gen_put(to, ',', data, 1);
  fprintf(to, ",%lld,%lld,%s\n", (long long)calls, (long long)offers, leaves ? "yes" : "no");
}

const gen_kind gen_churn = { "churn", churn_begin, churn_row };
