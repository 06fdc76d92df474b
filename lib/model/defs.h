/* Hyper-parameters that families share: rows of their tables (lt_param_def). */
#ifndef LEAT_MODEL_DEFS_H
#define LEAT_MODEL_DEFS_H
#include "base/params.h"
/* Numbers of losses (loss.h). */
#define LT_DEFS_LOSS \
  {"huber_delta", LEAT_PARAM_F64, "1.35", 1e-9, 1e9, NULL, \
   "loss=huber: errors up to here count squared, larger ones straight; in standard deviations of the target.", 1}, \
  {"quantile", LEAT_PARAM_F64, "0.5", 1e-6, 0.999999, NULL, \
   "loss=quantile: which quantile of the target is predicted.", 1}
/* What the encoder reads (encoder.h). */
#define LT_DEFS_ENCODER \
  {"standardize", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|yes|no", \
   "Scale dense numbers to mean 0 and deviation 1 (auto); yes: sparse blocks to deviation 1 too, never centred.", 1}, \
  {"max_onehot", LEAT_PARAM_I64, "1000", 1, 1000000, NULL, \
   "Categories of up to this many labels get a slot for each label; larger ones are hashed.", 1}, \
  {"hash_bits", LEAT_PARAM_I64, "18", 1, 24, NULL, "Hashed columns get 2^hash_bits slots.", 1}, \
  {"words", LEAT_PARAM_I64, "1", 1, 2, NULL, "Texts are their words; 2: and each two words that follow each other.", 1}, \
  {"log", LEAT_PARAM_TEXT, "", 0, 0, NULL, \
   "Number columns of which sign(x) * log(1 + |x|) is learned from, for amounts and counts; commas between them.", 1}, \
  {"buckets", LEAT_PARAM_TEXT, "", 0, 0, NULL, \
   "Number columns that are learned in cells of equal mass too, as age:10,income:20 (10 when no number is given).", 1}, \
  {"missing", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "Number columns with missing values get a feature that says so.", 1}, \
  {"cross", LEAT_PARAM_TEXT, "", 0, 0, NULL, \
   "Pairs of categories that are learned together too, as region*plan; more cells than max_onehot are hashed.", 1}, \
  {"max_width", LEAT_PARAM_I64, "4194304", 1, 2147483647, NULL, "Sparse blocks wider than this are hashed.", 1}
#define LT_DEFS_TEXT(usual) \
  {"text_length", LEAT_PARAM_F64, usual, 0, 1000000, NULL, \
   "Length of the vector of words that a text is, which penalties are felt by; 0: the root of the mean number of " \
   "different words, as long as a mark for each word would be.", 1}
/* Calibration, decisions, class weights. */
#define LT_DEFS_DECISION \
  {"calibrate", LEAT_PARAM_CHOICE, "none", 0, 0, "none|platt|isotonic|temperature", \
   "Fit the probabilities on the validation rows, inside the model; none: hinge losses fit platt on the training " \
   "rows.", 1}, \
  {"threshold", LEAT_PARAM_F64, "0.5", 0, 1, NULL, \
   "Two classes: the second is the answer from this probability on. Probabilities stay what they are.", 1}, \
  {"false_positive_cost", LEAT_PARAM_F64, "0", 0, 1e30, NULL, \
   "Two classes, with false_negative_cost: what it costs to answer the second class wrongly; the threshold is then the " \
   "one that costs least on the validation rows.", 1}, \
  {"false_negative_cost", LEAT_PARAM_F64, "0", 0, 1e30, NULL, "What it costs to miss the second class.", 1}, \
  {"interval", LEAT_PARAM_F64, "0", 0, 0.9999, NULL, \
   "Numbers: prediction intervals that hold this share of new rows, from the validation rows (split conformal); 0: " \
   "none.", 1}, \
  {"class_weights", LEAT_PARAM_TEXT, "none", 0, 0, NULL, \
   "none, balanced (rows / (classes * rows of the class)), or label=weight,label=weight.", 1}
#endif
