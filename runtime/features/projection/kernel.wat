;; The inner loop of project.ts: sums in double precision, two products at a time, where JavaScript does one and checks its
;; bounds. The same bits on every processor: nothing is fused.
;; `npm run build:kernel` makes kernel.generated.ts of it.
(module
  (import "layout" "memory" (memory 1))

  ;; The sums of products of each of `vectors` vectors with each of four rows, all of `bytes` bytes (64-bit floats, a multiple
  ;; of 16 bytes). Vectors, rows and sums (four a vector) lie one behind the other from these addresses on, bytes.
  (func (export "dots")
    (param $vectors i32) (param $count i32) (param $rows i32) (param $bytes i32) (param $sums i32)
    (local $at i32) (local $end i32) (local $row i32) (local $second i32) (local $third i32) (local $fourth i32)
    (local $weights v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $second (i32.add (local.get $rows) (local.get $bytes)))
    (local.set $third (i32.add (local.get $second) (local.get $bytes)))
    (local.set $fourth (i32.add (local.get $third) (local.get $bytes)))
    (local.set $at (local.get $vectors))
    (block $done
      (loop $next_vector
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (local.set $end (i32.add (local.get $at) (local.get $bytes)))
        (local.set $row (i32.const 0))
        (local.set $a (v128.const f64x2 0 0))
        (local.set $b (v128.const f64x2 0 0))
        (local.set $c (v128.const f64x2 0 0))
        (local.set $d (v128.const f64x2 0 0))
        (loop $next_values
          (local.set $weights (v128.load (local.get $at)))
          (local.set $a (f64x2.add (local.get $a)
            (f64x2.mul (local.get $weights) (v128.load (i32.add (local.get $rows) (local.get $row))))))
          (local.set $b (f64x2.add (local.get $b)
            (f64x2.mul (local.get $weights) (v128.load (i32.add (local.get $second) (local.get $row))))))
          (local.set $c (f64x2.add (local.get $c)
            (f64x2.mul (local.get $weights) (v128.load (i32.add (local.get $third) (local.get $row))))))
          (local.set $d (f64x2.add (local.get $d)
            (f64x2.mul (local.get $weights) (v128.load (i32.add (local.get $fourth) (local.get $row))))))
          (local.set $row (i32.add (local.get $row) (i32.const 16)))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $next_values (i32.lt_u (local.get $at) (local.get $end))))
        (f64.store (local.get $sums)
          (f64.add (f64x2.extract_lane 0 (local.get $a)) (f64x2.extract_lane 1 (local.get $a))))
        (f64.store offset=8 (local.get $sums)
          (f64.add (f64x2.extract_lane 0 (local.get $b)) (f64x2.extract_lane 1 (local.get $b))))
        (f64.store offset=16 (local.get $sums)
          (f64.add (f64x2.extract_lane 0 (local.get $c)) (f64x2.extract_lane 1 (local.get $c))))
        (f64.store offset=24 (local.get $sums)
          (f64.add (f64x2.extract_lane 0 (local.get $d)) (f64x2.extract_lane 1 (local.get $d))))
        (local.set $sums (i32.add (local.get $sums) (i32.const 32)))
        (br $next_vector)))))
