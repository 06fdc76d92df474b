/* Breaks the rules on purpose: two work items write one place, and one writes behind the end. */
kernel void broken(global int *x) {
  const int i = (int)get_global_id(0);
  x[i / 2] = i;
  if (i == 3) x[2] = 1;
}
