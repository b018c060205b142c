/* Stands in for libnvidia-ml.so.1: as many calls of NVML as ClawMux makes, answered from the variable FAKE_NVML.

   FAKE_NVML is a list of words divided by ';':
     init=N | init=hang | init=abort        how nvmlInit ends; without it, well
     driver=550.54.14   cuda=12040
     card=NAME|TOTAL|USED|8.6               a card; MiB; TOTAL '-' makes USED the error code of the memory calls,
                                            and '-' for the capability makes that call end with "not supported"
     slice=NAME|TOTAL|USED                  a slice of the card before it, which is then divided
     hang=N                                 asking card N for its name does not end
   Built with -DOLD it lacks what drivers before 510 lack. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define MOST 16
#define MIB (1024ULL * 1024ULL)

typedef struct {
    char name[96];
    unsigned long long total, used;
    int memory_error, major, minor, parent, slices;
} Card;

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;

static Card cards[MOST];
static int order[MOST], found, whole, hangs = -1, version;
static char driver[80];

static void read_card(const char *text, int is_slice) {
    Card *card = &cards[found];
    char total[32] = "-", used[32] = "0", capability[32] = "-";
    memset(card, 0, sizeof *card);
    card->parent = -1;
    sscanf(text, "%95[^|]|%31[^|]|%31[^|]|%31[^|]", card->name, total, used, capability);
    if (total[0] == '-') {
        card->memory_error = atoi(used);
    } else {
        card->total = strtoull(total, NULL, 10) * MIB;
        card->used = strtoull(used, NULL, 10) * MIB;
    }
    if (sscanf(capability, "%d.%d", &card->major, &card->minor) != 2) card->major = -1;
    if (is_slice) {
        card->parent = order[whole - 1];
        cards[card->parent].slices++;
    } else {
        order[whole++] = found;
    }
    found++;
}

static int start(void) {
    char *all = strdup(getenv("FAKE_NVML") ? getenv("FAKE_NVML") : ""), *word;
    int result = OK;
    for (word = strtok(all, ";"); word; word = strtok(NULL, ";")) {
        if (!strcmp(word, "init=hang")) for (;;) pause();
        else if (!strcmp(word, "init=abort")) abort();
        else if (!strncmp(word, "init=", 5)) result = atoi(word + 5);
        else if (!strncmp(word, "driver=", 7)) snprintf(driver, sizeof driver, "%s", word + 7);
        else if (!strncmp(word, "cuda=", 5)) version = atoi(word + 5);
        else if (!strncmp(word, "hang=", 5)) hangs = atoi(word + 5);
        else if (!strncmp(word, "card=", 5) && found < MOST) read_card(word + 5, 0);
        else if (!strncmp(word, "slice=", 6) && found < MOST && whole) read_card(word + 6, 1);
    }
    free(all);
    return result;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return start(); }
int nvmlInit_v2(void) { return start(); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error that the stand-in was told to give"; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    snprintf(text, size, "%s", driver);
    return OK;
}

int nvmlSystemGetCudaDriverVersion_v2(int *number) {
    *number = version;
    return version ? OK : NOT_SUPPORTED;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = (unsigned)whole;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    if ((int)index >= whole) return INVALID_ARGUMENT;
    *handle = &cards[order[index]];
    return OK;
}

int nvmlDeviceGetName(void *handle, char *text, unsigned size) {
    if (hangs >= 0 && handle == (void *)&cards[order[hangs]]) for (;;) pause();
    snprintf(text, size, "%s", ((Card *)handle)->name);
    return OK;
}

int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) {
    Card *card = handle;
    snprintf(text, size, "%s-%08x-0000", card->parent < 0 ? "GPU" : "MIG", (unsigned)(card - cards) + 0x1000);
    return OK;
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    Card *card = handle;
    if (card->major < 0) return NOT_SUPPORTED;
    *major = card->major;
    *minor = card->minor;
    return OK;
}

int nvmlDeviceGetMemoryInfo(void *handle, Memory *memory) {
    Card *card = handle;
    if (card->memory_error) return card->memory_error;
    memory->total = card->total;
    memory->used = card->used;
    memory->free = card->total - card->used;
    return OK;
}

#ifndef OLD
int nvmlDeviceGetMemoryInfo_v2(void *handle, Memory2 *memory) {
    Card *card = handle;
    if (memory->version != (sizeof *memory | 2u << 24)) return 25;
    if (card->memory_error) return card->memory_error;
    memory->total = card->total;
    memory->reserved = card->used / 4;
    memory->used = card->used - memory->reserved;
    memory->free = card->total - card->used;
    return OK;
}
#endif

int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *later) {
    *now = *later = ((Card *)handle)->slices > 0;
    return ((Card *)handle)->major >= 8 ? OK : NOT_SUPPORTED;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    *count = ((Card *)handle)->slices ? 7 : 0;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **slice) {
    int at;
    for (at = 0; at < found; at++)
        if (cards[at].parent >= 0 && handle == (void *)&cards[cards[at].parent] && index-- == 0) {
            *slice = &cards[at];
            return OK;
        }
    return NOT_FOUND;
}
