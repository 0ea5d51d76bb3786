;; The inner loops of band-search.ts: a processor counts the bits of a hash in four instructions, where JavaScript needs a
;; hundred. What "layout" gives are addresses in the memory, bytes, except the last three. A place is a position in the
;; order of the band's values.
;; `npm run build:kernel` makes kernel.generated.ts of it.
(module
  (import "layout" "memory" (memory 1))
  ;; Of each place: the hash (32 bytes), its band's value, its picture, whether it is new, whether all its patients are known.
  (import "layout" "hashes" (global $hashes i32))
  (import "layout" "keys" (global $keys i32))
  (import "layout" "members" (global $members i32))
  (import "layout" "fresh" (global $fresh i32))
  (import "layout" "strict" (global $strict i32))
  ;; Of each value of a band, and one more: the first place that has it or a larger one.
  (import "layout" "starts" (global $starts i32))
  ;; What to XOR to a band's value to have another one to look up; and where those begin whose highest bit is bit 0, bit 1 and so
  ;; on to bit 19, then those that are 0, then where these end.
  (import "layout" "turns" (global $turns i32))
  (import "layout" "groups" (global $groups i32))
  ;; Disjoint sets of pictures, and the pairs that made them.
  (import "layout" "parents" (global $parents i32))
  (import "layout" "pairs" (global $pairs i32))
  (import "layout" "near" (global $near i64))
  (import "layout" "same" (global $same i64))
  (import "layout" "all_fresh" (global $all_fresh i32))

  (func $root (param $picture i32) (result i32)
    (local $slot i32) (local $up i32)
    (loop $climb
      (local.set $slot (i32.add (global.get $parents) (i32.shl (local.get $picture) (i32.const 2))))
      (local.set $up (i32.load (local.get $slot)))
      (if (i32.ne (local.get $up) (local.get $picture))
        (then
          ;; Halve the path.
          (i32.store (local.get $slot)
            (i32.load (i32.add (global.get $parents) (i32.shl (local.get $up) (i32.const 2)))))
          (local.set $picture (local.get $up))
          (br $climb))))
    (local.get $picture))

  ;; Looks up all hashes that are new, each mirrored by inverting the bits of $a to $d. Unites pictures that are near, and
  ;; writes the pairs that this took.
  ;; Returns how many pairs there are, $count of them from before.
  (func (export "search")
    (param $places i32) (param $a i64) (param $b i64) (param $c i64) (param $d i64) (param $count i32) (result i32)
    (local $place i32) (local $key i32) (local $bit i32) (local $turn_at i32) (local $turn_end i32) (local $probe i32)
    (local $range i64) (local $at i32) (local $end i32) (local $hash i32) (local $distance i64) (local $strictly i32)
    (local $one i32) (local $other i32)
    (local $h0 i64) (local $h1 i64) (local $h2 i64) (local $h3 i64)
    (block $done
      (loop $next_place
        (br_if $done (i32.ge_u (local.get $place) (local.get $places)))
        (if (i32.load8_u (i32.add (global.get $fresh) (local.get $place)))
          (then
            (local.set $hash (i32.add (global.get $hashes) (i32.shl (local.get $place) (i32.const 5))))
            (local.set $h0 (i64.xor (local.get $a) (i64.load (local.get $hash))))
            (local.set $h1 (i64.xor (local.get $b) (i64.load offset=8 (local.get $hash))))
            (local.set $h2 (i64.xor (local.get $c) (i64.load offset=16 (local.get $hash))))
            (local.set $h3 (i64.xor (local.get $d) (i64.load offset=24 (local.get $hash))))
            (local.set $strictly (i32.load8_u (i32.add (global.get $strict) (local.get $place))))
            (local.set $key (i32.load (i32.add (global.get $keys) (i32.shl (local.get $place) (i32.const 2)))))
            (local.set $bit (i32.const 0))
            (loop $next_bit
              (local.set $turn_at (i32.load (i32.add (global.get $groups) (i32.shl (local.get $bit) (i32.const 2)))))
              (local.set $turn_end
                (i32.load offset=4 (i32.add (global.get $groups) (i32.shl (local.get $bit) (i32.const 2)))))
              ;; A pair of two new pictures is met from both sides: it is looked at from the later place. Where the highest bit
              ;; that is turned is 0, what is looked up is larger than the value itself: it comes later.
              (if
                (i32.and (global.get $all_fresh)
                  (i32.and (i32.lt_u (local.get $bit) (i32.const 20))
                    (i32.eqz (i32.and (i32.const 1) (i32.shr_u (local.get $key) (local.get $bit))))))
                (then (local.set $turn_end (local.get $turn_at))))
              (block $bit_done
                (loop $probing
                  (br_if $bit_done (i32.ge_u (local.get $turn_at) (local.get $turn_end)))
                  (local.set $probe (i32.xor (local.get $key) (i32.load (local.get $turn_at))))
                  ;; Where its places begin, and where those of the value after it do.
                  (local.set $range
                    (i64.load align=4 (i32.add (global.get $starts) (i32.shl (local.get $probe) (i32.const 2)))))
                  (local.set $at (i32.wrap_i64 (local.get $range)))
                  (local.set $end (i32.wrap_i64 (i64.shr_u (local.get $range) (i64.const 32))))
                  (if (i32.lt_u (local.get $at) (local.get $end))
                    (then
                      (block $bucket_done
                        (loop $bucket
                          (br_if $bucket_done (i32.ge_u (local.get $at) (local.get $end)))
                          (block $next
                            (if (i32.ge_u (local.get $at) (local.get $place))
                              (then
                                (br_if $bucket_done (global.get $all_fresh))
                                (br_if $next (i32.eq (local.get $at) (local.get $place)))
                                (br_if $next (i32.load8_u (i32.add (global.get $fresh) (local.get $at))))))
                            (local.set $hash (i32.add (global.get $hashes) (i32.shl (local.get $at) (i32.const 5))))
                            (local.set $distance
                              (i64.add
                                (i64.popcnt (i64.xor (local.get $h2) (i64.load offset=16 (local.get $hash))))
                                (i64.popcnt (i64.xor (local.get $h3) (i64.load offset=24 (local.get $hash))))))
                            ;; Of strangers the half with the higher frequencies is nearly always enough.
                            (br_if $next (i64.gt_u (local.get $distance) (global.get $near)))
                            (local.set $distance
                              (i64.add (local.get $distance)
                                (i64.add
                                  (i64.popcnt (i64.xor (local.get $h0) (i64.load (local.get $hash))))
                                  (i64.popcnt (i64.xor (local.get $h1) (i64.load offset=8 (local.get $hash)))))))
                            (br_if $next (i64.gt_u (local.get $distance) (global.get $near)))
                            ;; Pictures that share a patient are united by that: those whose patients are all known are of others.
                            (br_if $next
                              (i32.and
                                (i32.and (local.get $strictly) (i32.load8_u (i32.add (global.get $strict) (local.get $at))))
                                (i64.gt_u (local.get $distance) (global.get $same))))
                            (local.set $one
                              (call $root
                                (i32.load (i32.add (global.get $members) (i32.shl (local.get $place) (i32.const 2))))))
                            (local.set $other
                              (call $root
                                (i32.load (i32.add (global.get $members) (i32.shl (local.get $at) (i32.const 2))))))
                            (br_if $next (i32.eq (local.get $one) (local.get $other)))
                            (i32.store (i32.add (global.get $parents) (i32.shl (local.get $one) (i32.const 2)))
                              (local.get $other))
                            (i32.store (i32.add (global.get $pairs) (i32.shl (local.get $count) (i32.const 3)))
                              (local.get $one))
                            (i32.store offset=4 (i32.add (global.get $pairs) (i32.shl (local.get $count) (i32.const 3)))
                              (local.get $other))
                            (local.set $count (i32.add (local.get $count) (i32.const 1))))
                          (local.set $at (i32.add (local.get $at) (i32.const 1)))
                          (br $bucket)))))
                  (local.set $turn_at (i32.add (local.get $turn_at) (i32.const 4)))
                  (br $probing)))
              (local.set $bit (i32.add (local.get $bit) (i32.const 1)))
              (br_if $next_bit (i32.le_u (local.get $bit) (i32.const 20))))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (br $next_place)))
    (local.get $count)))
