// SPDX-License-Identifier: MIT
/*
 * A model that is open: package, configuration, bound weights, tokenizer. Made by api/model.c, read by everyone who
 * runs it.
 */
#ifndef GLM_MODEL_LOADED_H
#define GLM_MODEL_LOADED_H

#include "formats/tensor_file.h"
#include "glm/glm.h"
#include "model/config.h"
#include "model/weights.h"

#define GLM_MODEL_NOTES_MAX 64

struct glm_model {
    glm_tensor_file *file;
    glm_config config;
    glm_weights weights;
    glm_tokenizer *tokenizer;                /* NULL: the package has none */
    struct glm_chat_template *chat_template; /* of glm/chat.h; api/model.c makes and frees it */
    glm_load_mode load;
    char *path; /* as given */
    char name[256];
    char indexer_types[GLM_LAYERS_MAX + 1]; /* for glm_model_info */
    char *note[GLM_MODEL_NOTES_MAX];
    uint32_t n_note;
    /* The vocabulary as grammars see it, made by the first constraint; NULL before. */
    struct glm_grammar_vocab *_Atomic grammar_vocab;
};

#endif
