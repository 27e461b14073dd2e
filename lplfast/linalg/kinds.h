/* The kernels of one header, LPL_KERNELS, for each kind of processor, in as many lanes as its registers hold.

   A header whose kernels gain by registers of eight doubles includes this file, which includes the header once more for
   each kind: it then defines its kernels, with LPL_KERNEL, and what they inline, named by LPL_KIND. That is all that takes
   lanes, and whatever else is to be inlined: a compiler that is told of this very processor (-march=native) refuses where
   it knows more of that than of the kind.

   After that LPL_BEST(name) declares each kernel under its plain name: the one for this processor, which the dynamic
   linker asks for when the program is loaded. Those in eight lanes come last: they may call the same in four. The same
   kernels are in one kind, that of the compiler's options, where there is no such linker, and where lanes.h is told how
   many lanes there are.

   No include guard: once for each header. */

#ifndef LPL_KERNELS
  #error "expected LPL_KERNELS, the header whose kernels these are"
#endif

#ifdef LPL_KINDS
  #pragma push_macro("LPL_KIND")
  #pragma push_macro("LPL_LANES")
  #undef LPL_KIND
  #undef LPL_LANES

  #define LPL_KIND(name) name##_in_two
  #define LPL_LANES 2
  #include LPL_KERNELS
  #undef LPL_KIND
  #undef LPL_LANES

  #pragma GCC push_options
  #pragma GCC target("avx2")
  #define LPL_KIND(name) name##_in_four
  #define LPL_LANES 4
  #include LPL_KERNELS
  #undef LPL_KIND
  #undef LPL_LANES
  #pragma GCC pop_options

  #pragma GCC push_options
  #pragma GCC target("arch=x86-64-v4")
  #define LPL_KIND(name) name##_in_eight
  #define LPL_LANES 8
  #include LPL_KERNELS
  #undef LPL_KIND
  #undef LPL_LANES
  #pragma GCC pop_options

  /* as they were, for the clones */
  #pragma pop_macro("LPL_LANES")
  #pragma pop_macro("LPL_KIND")
#else
  #include LPL_KERNELS
#endif

#undef LPL_KERNELS
