/* The hyper-parameters of "model/mlp". */
#include "model/defs.h"
#include "model/mlp.h"

static const lt_param_def mlp_defs[] = {
    {"layers", LEAT_PARAM_TEXT, "128", 0, 0, NULL, "Widths of the hidden layers from the input on, as 512,128; empty: none.", 2},
    {"activation", LEAT_PARAM_CHOICE, "relu", 0, 0, "relu|gelu|tanh|sigmoid", "What follows every hidden layer.", 2},
    {"norm", LEAT_PARAM_CHOICE, "none", 0, 0, "none|layer|batch", "Normalise hidden layers before the activation.", 2},
    {"dropout", LEAT_PARAM_F64, "0", 0, 0.95, NULL, "Share of each hidden layer's outputs that a training step leaves out.", 2},
    {"input_dropout", LEAT_PARAM_F64, "0", 0, 0.95, NULL, "The same of the dense inputs.", 2},
    {"embedding", LEAT_PARAM_I64, "0", 0, 1024, NULL,
     "Categories are learned as so many numbers each instead of a slot a label; 0: as slots.", 2},
    {"embedding_from", LEAT_PARAM_I64, "8", 2, 1000000, NULL, "Categories of fewer slots than this keep them.", 2},
    {"loss", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|squared|huber|quantile|poisson|logistic|hinge|squared_hinge|softmax",
     "What is minimised; auto: squared for numbers, logistic for two classes, softmax for more. Numbers: squared, huber, "
     "quantile, poisson (targets >= 0, predicts exp); two classes: logistic, hinge, squared_hinge.", 2},
    LT_DEFS_LOSS,
    {"optimizer", LEAT_PARAM_CHOICE, "adam", 0, 0, "adam|adamw|sgd",
     "How steps are made; adamw: with decoupled weight decay; sgd: with momentum.", 2},
    {"learning_rate", LEAT_PARAM_F64, "0", 0, 1e6, NULL, "Length of a step; 0: 0.001 for adam and adamw, 0.01 for sgd.", 2},
    {"momentum", LEAT_PARAM_F64, "0.9", 0, 0.99999, NULL, "sgd: share of the last step that is kept.", 2},
    {"nesterov", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "sgd: look ahead along the momentum.", 2},
    {"beta1", LEAT_PARAM_F64, "0.9", 0, 0.99999, NULL, "adam: how long the mean of gradients remembers.", 2},
    {"beta2", LEAT_PARAM_F64, "0.999", 0, 0.9999999, NULL, "adam: how long the mean of their squares remembers.", 2},
    {"epsilon", LEAT_PARAM_F64, "1e-8", 1e-30, 1, NULL, "adam: added to the root of the mean of squares.", 2},
    {"weight_decay", LEAT_PARAM_F64, "0", 0, 1e6, NULL,
     "adamw: weights shrink by learning_rate * weight_decay a step; adam, sgd: the mean loss + weight_decay / 2 * |W|^2 is "
     "minimised (rows / alpha of scikit-learn). Biases and norms are free.", 2},
    {"clip_norm", LEAT_PARAM_F64, "0", 0, 1e30, NULL, "Gradients longer than this are shortened to it; 0: never.", 2},
    {"schedule", LEAT_PARAM_CHOICE, "constant", 0, 0, "constant|cosine|linear|step",
     "How the rate falls over all epochs: not, by half a cosine to 0, straight to 0, or to a tenth after each third.", 2},
    {"warmup", LEAT_PARAM_F64, "0", 0, 1e9, NULL, "Epochs (or a part of one) over which the rate grows from 0.", 2},
    {"batch_size", LEAT_PARAM_I64, "64", 1, 1048576, NULL, "Rows of a step.", 2},
    {"max_iterations", LEAT_PARAM_I64, "20", 1, 1000000000, NULL, "Epochs: passes over the rows, each in another order.", 2},
    {"patience", LEAT_PARAM_I64, "5", 0, 1000000000, NULL,
     "With validation rows: stop after this many epochs without a better loss on them; the best is kept; 0: never stop.", 2},
    LT_DEFS_ENCODER,
    LT_DEFS_TEXT("1"),
    LT_DEFS_DECISION,
    {"seed", LEAT_PARAM_I64, "0", 0, 9007199254740992.0, NULL, "Seed of the first weights, of the rows' order, of dropout.", 2},
};

const lt_spec lt_mlp_spec = {"model/mlp", "Neural network of dense layers, trained in steps on batches of rows.", mlp_defs,
                             (int64_t)(sizeof mlp_defs / sizeof mlp_defs[0])};
