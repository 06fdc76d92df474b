/* Empty on purpose: the declaration list must not hold the system's types. */
