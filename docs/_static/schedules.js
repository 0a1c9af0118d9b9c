// The text form of jaxsched's schedules and their formulas, in float64. `tests/docs/test_playground.py`
// compares every shape, combinator and preset with the library.
//
// A schedule has a `name`, the `values` of its fields, `at(t)` for t >= 0, `end`, the number of steps until it stays
// as it is (null if it never does), and `marks(until)`, the steps at which one part goes over to the next.

"use strict";

const jaxsched = (() => {
  const LARGEST = 3.4028234663852886e38;
  const LARGEST_STEP = 2 ** 53;
  const SMALLEST = 2 ** -126;
  const LOG_LARGEST = 88.7;
  const MOST_MARKS = 1000;
  const MOST_TERMS = 1000;

  /** A mistake in a text: what is wrong, and where. */
  class Mistake extends Error {
    constructor(message, place = null) {
      super(message);
      this.place = place;
    }
  }

  // Values as Python writes them.

  function show(value) {
    if (Number.isInteger(value) && Math.abs(value) < 1e16) return String(value === 0 ? 0 : value);
    return float(value);
  }

  function float(value) {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
    const [mantissa, exponent] = value.toExponential().split("e");
    const power = Number(exponent);
    if (power < -4 || power >= 16) {
      return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
    }
    const text = value.toFixed(Math.max(0, mantissa.replace(/[-.]/g, "").length - 1 - power));
    return text.includes(".") ? text : `${text}.0`;
  }

  function repr(value) {
    if (value instanceof Num) return value.whole ? String(value.value) : float(value.value);
    if (value === null) return "None";
    if (value === true) return "True";
    if (value === false) return "False";
    if (typeof value === "string") return value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value}'`;
    if (Array.isArray(value)) {
      const inside = value.map(repr).join(", ");
      return value.tuple ? `(${inside}${value.length === 1 ? "," : ""})` : `[${inside}]`;
    }
    if (value instanceof Shape) return `<class 'jaxsched.${value.name}'>`;
    return String(value);
  }

  function brief(value) {
    const text = repr(value);
    return text.length <= 100 ? text : `${text.slice(0, 60)}...${text.slice(-20)}`;
  }

  function describe(value) {
    return `${brief(value)} (${typeName(value)})`;
  }

  function typeName(value) {
    if (value instanceof Num) return value.whole ? "int" : "float";
    if (value === null) return "NoneType";
    if (typeof value === "boolean") return "bool";
    if (typeof value === "string") return "str";
    if (Array.isArray(value)) return value.tuple ? "tuple" : "list";
    if (value instanceof Shape) return value.keywords ? "partial" : "type";
    return value.name;
  }

  /** A number of a text; `whole` if it was written without a point and is no result of arithmetic. */
  class Num {
    constructor(value, whole = false) {
      this.value = value;
      this.whole = whole;
    }
  }

  /** The curve of a ramp: a transition's name and, after `partial`, its keywords. */
  class Shape {
    constructor(name, keywords = null) {
      this.name = name;
      this.keywords = keywords;
    }

    get curve() {
      const defaults = CALLS[this.name].fields.slice(3).map((each) => [each.name, each.default]);
      return { ...Object.fromEntries(defaults), ...this.keywords };
    }

    toString() {
      if (!this.keywords) return this.name;
      const texts = Object.entries(this.keywords).map(([key, value]) => `${key}=${show(value)}`);
      return `partial(${[this.name, ...texts].join(", ")})`;
    }
  }

  class Schedule {
    constructor(name, fields, values, made) {
      this.name = name;
      this.fields = fields;
      this.values = values;
      this.end = null;
      this.marks = () => [];
      Object.assign(this, made);
    }

    toString() {
      if (this.name === "Product" || this.name === "Sum") return operation(this);
      const texts = [];
      let positional = true;
      for (const field of this.fields) {
        const value = this.values[field.name];
        if ("default" in field && text(value) === text(field.default)) {
          positional = false;
          continue;
        }
        positional = positional && !field.keyword;
        texts.push(positional ? text(value) : `${field.name}=${text(value)}`);
      }
      return `${this.name}(${texts.join(", ")})`;
    }
  }

  function text(value) {
    if (Array.isArray(value)) return `[${value.map(text).join(", ")}]`;
    if (value === null || value === undefined) return "None";
    if (typeof value === "number") return show(value);
    return value instanceof Schedule && value.name === "Constant" ? show(value.values.value) : String(value);
  }

  const isConstant = (each) => each.name === "Constant";
  const negates = ({ name, parts }) =>
    name === "Product" && isConstant(parts[0]) && parts[0].at(0) === -1 && !isConstant(parts[1]);

  function operation(schedule) {
    const product = schedule.name === "Product";
    const minus = product && negates(schedule);
    const operands = minus ? schedule.parts.slice(1) : schedule.parts;
    const texts = operands.map((each) => (product && each.name === "Sum" ? `(${each})` : text(each)));
    // Two bare numbers in front would be read as one.
    if (operands.length > 1 && operands.slice(0, 2).every(isConstant)) texts[0] = `Constant(${texts[0]})`;
    if (product) return (minus ? "-" : "") + texts.join(" * ");
    const following = texts.slice(1).map((each, i) => {
      const negative = (isConstant(operands[i + 1]) || negates(operands[i + 1])) && each.startsWith("-");
      return negative ? `- ${each.slice(1)}` : `+ ${each}`;
    });
    return [texts[0], ...following].join(" ");
  }

  // Checks. `limits` may have `atLeast`, `above`, `atMost` and `below`.

  function checked(name, value, limits = {}) {
    if (!(value instanceof Num)) {
      const hint =
        value instanceof Schedule || value instanceof Shape ? "; call it with a step for its number there" : "";
      throw new Mistake(`\`${name}\` must be a number, got ${describe(value)}${hint}.`);
    }
    return within(name, value.value, limits);
  }

  function within(name, number, { atLeast, above, atMost, below } = {}) {
    if (!(Math.abs(number) <= LARGEST)) {
      throw new Mistake(`\`${name}\` must be a finite float32 number, got ${show(number)}.`);
    }
    const known = [
      ["at least", atLeast, number >= atLeast],
      ["above", above, number > above],
      ["at most", atMost, number <= atMost],
      ["below", below, number < below],
    ].filter(([, limit]) => limit !== undefined);
    if (known.some(([, , holds]) => !holds)) {
      const allowed = known.map(([words, limit]) => `${words} ${show(limit)}`).join(" and ");
      throw new Mistake(`\`${name}\` must be ${allowed}, got ${show(number)}.`);
    }
    return number;
  }

  function checkedList(name, value, { ascending = false, ...limits } = {}) {
    if (!Array.isArray(value)) throw new Mistake(`\`${name}\` must be a list of numbers, got ${describe(value)}.`);
    for (const [i, each] of value.entries()) {
      if (!(each instanceof Num)) checked(`${name}[${i}]`, each);
    }
    const numbers = value.map((each) => each.value);
    for (const extreme of [Math.min(...numbers), Math.max(...numbers)]) {
      const i = numbers.findIndex((each) => Object.is(each, extreme));
      if (i >= 0) within(`${name}[${i}]`, extreme, limits);
    }
    if (ascending) {
      const i = numbers.findIndex((each, i) => i > 0 && each < numbers[i - 1]);
      if (i > 0) {
        const [before, after] = [show(numbers[i - 1]), show(numbers[i])];
        throw new Mistake(`\`${name}\` must be sorted, got ${before} before ${after} at index ${i - 1}.`);
      }
    }
    return numbers;
  }

  function asSchedule(name, value) {
    if (value instanceof Schedule) return value;
    if (value instanceof Num) return constant(within(name, value.value));
    const hint = typeof value === "string" ? "; use `jaxsched.parse` for text" : "";
    throw new Mistake(`\`${name}\` must be a schedule, a number or a callable, got ${describe(value)}${hint}.`);
  }

  function asShape(name, value) {
    if (value instanceof Shape) return value;
    throw new Mistake(
      `\`${name}\` must be a transition class, such as \`Linear\` or ` +
        `\`functools.partial(Polynomial, power=2)\`, got ${brief(value)}.`,
    );
  }

  // Fields.

  const field = (name, convert, more) => ({ name, convert: (value) => convert(name, value), ...more });
  const split = ({ byDefault, keyword, ...limits } = {}) => [
    limits,
    { ...(byDefault === undefined ? {} : { default: byDefault }), keyword },
  ];
  const number = (name, options) => {
    const [limits, more] = split(options);
    return field(name, (name, value) => checked(name, value, limits), more);
  };
  const optional = (name, options) => {
    const [limits] = split(options);
    return field(name, (name, value) => (value === null ? null : checked(name, value, limits)), { default: null });
  };
  const numbers = (name, limits) => field(name, (name, value) => checkedList(name, value, limits));
  const part = (name) => field(name, asSchedule);
  const shape = (name, byDefault) => field(name, asShape, { default: new Shape(byDefault) });
  /** An argument of a preset, which checks it itself. */
  const plain = (name, ...byDefault) =>
    field(name, (name, value) => value, byDefault.length ? { default: byDefault[0] } : {});

  // Transitions: the weights of the start and of the end, whose sum is 1, after a part `e` of the way, with `l` left.

  /** `e ** k` and `1 - e ** k`, for `e + l = 1`. */
  function powers(e, l, k) {
    if (k === 1) return [e, l];
    const passed = e ** k;
    return [passed, e < 0.5 ? 1 - passed : -Math.expm1(k * Math.log1p(-l))];
  }

  const WEIGHTS = {
    Linear: (e, l) => [l, e],
    Polynomial: (e, l, { power, warp }) => {
      const [passed, remaining] = powers(e, l, warp);
      return powers(remaining, passed, power);
    },
    OneMinusSqrt: (e, l) => powers(e, l, 0.5).reverse(),
    Cosine: (e, l, { power, warp }) => {
      const [passed, remaining] = powers(e, l, warp);
      return powers(Math.sin((Math.PI / 2) * remaining) ** 2, Math.sin((Math.PI / 2) * passed) ** 2, power);
    },
    Rex: (e, l, { beta }) => [l / (beta * e + l), (beta * e) / (beta * e + l)],
    Tanh: (e, l, { lower, upper }) => {
      const x = l * lower + e * upper;
      const weight = (way, exponent, bound) =>
        (Math.exp(2 * exponent) * Math.expm1(2 * (lower - upper) * way) * (1 + Math.exp(-2 * Math.abs(bound)))) /
        (Math.expm1(2 * (lower - upper)) * (1 + Math.exp(-2 * Math.abs(x))));
      return [
        weight(l, Math.max(lower, 0) - Math.max(x, 0), lower),
        weight(e, Math.min(x, 0) - Math.min(upper, 0), upper),
      ];
    },
    Relaxation: (e, l, { rate }) => {
      const log = Math.log(rate);
      return [(Math.exp(e * log) * Math.expm1(l * log)) / (rate - 1), Math.expm1(e * log) / (rate - 1)];
    },
  };

  function checkEnds(name, init, end) {
    if (name !== "Geometric") return;
    for (const [field, value] of Object.entries({ init_value: init, end_value: end })) {
      if (Math.abs(value) < SMALLEST) {
        const tiny = value === 0 ? "" : ", which XLA flushes to 0";
        throw new Mistake(`\`${field}\` must not be 0 on a geometric path, got ${show(value)}${tiny}.`);
      }
    }
    if (init > 0 !== end > 0) {
      throw new Mistake(`\`end_value\` must have the same sign as \`init_value\` (${show(init)}), got ${show(end)}.`);
    }
  }

  function ramp(shape, init, end, steps, t, curve = shape.curve) {
    if (t >= steps) return end;
    if (t <= 0) return init;
    const [e, l] = [t / steps, (steps - t) / steps];
    if (shape.name === "Geometric") return init * Math.exp(e * (Math.log(Math.abs(end)) - Math.log(Math.abs(init))));
    const [start, last] = WEIGHTS[shape.name](e, l, curve);
    return init * start + end * last;
  }

  const rate = (name, value) => {
    const kept = checked(name, value, { above: 0, below: 1 });
    return within(name, kept, { atLeast: SMALLEST, atMost: 1 - 2 ** -24 });
  };

  function transition(name, ...more) {
    return {
      fields: [number("init_value"), number("end_value"), number("transition_steps", { atLeast: 0 }), ...more],
      make(values) {
        const { init_value: init, end_value: end, transition_steps: steps, ...curve } = values;
        checkEnds(name, init, end);
        if (name === "Tanh" && !(Math.fround(curve.lower) < Math.fround(curve.upper))) {
          throw new Mistake(`\`upper\` must be above \`lower\` (${show(curve.lower)}), got ${show(curve.upper)}.`);
        }
        return { at: (t) => ramp({ name }, init, end, steps, t, curve), end: steps };
      },
    };
  }

  // Clocks.

  /** The number of whole periods in `t`, and the time in the current one. */
  function periods(t, length) {
    let count = Math.floor(t / length);
    if (count * length > t) count -= 1;
    else if ((count + 1) * length <= t) count += 1;
    return [count, Math.max(t - count * length, 0)];
  }

  const begun = (boundaries, t) => {
    let [low, high] = [0, boundaries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (boundaries[middle] <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const inside = (marks, until) => marks.filter((each) => each > 0 && each < until).slice(0, MOST_MARKS);
  const later = (schedule, start) => (until) => schedule.marks(until - start).map((each) => each + start);
  const limited = (value) => Math.max(-LARGEST, Math.min(value, LARGEST));

  function snapped(start) {
    const nearest = Math.floor(start + 0.5);
    return Math.abs(start - nearest) <= start * 2 ** -22 ? nearest : start;
  }

  function makeCycle({ schedule, cycle_steps: steps, length_factor: growth, value_factor: factor, cycles }) {
    if (cycles !== null && !Number.isInteger(cycles)) {
      throw new Mistake(`\`cycles\` must be a whole number, got ${show(cycles)}.`);
    }
    if (cycles === null && growth < 1) {
      throw new Mistake(`\`cycles\` must be given if \`length_factor\` is below 1 (${show(growth)}), got None.`);
    }
    const most = cycles === null ? Infinity : cycles;
    const start = (k) => (growth === 1 ? k * steps : snapped(steps * ((growth ** k - 1) / (growth - 1))));
    const scaled = (value, k) => limited(value * Math.min(factor ** k, 1e77));

    function at(t) {
      if (t >= start(most)) return scaled(schedule.at(steps), most - 1);
      if (growth === 1) {
        const [count, passed] = periods(t, steps);
        return scaled(schedule.at(passed), count);
      }
      const gained = Math.max((t / steps) * (growth - 1), 2 ** -20 - 1);
      let k = Math.min(Math.max(Math.floor(Math.log1p(gained) / Math.log(growth)) - 1, 0), most - 1);
      while (k + 1 < most && start(k + 1) <= t) k += 1;
      return scaled(schedule.at(Math.min(Math.max(t - start(k), 0) / growth ** k, steps)), k);
    }

    function marks(until) {
      const found = [];
      for (let k = 1; k <= most && found.length < MOST_MARKS; k += 1) {
        if (start(k) >= until || start(k) === start(k - 1)) break;
        found.push(start(k));
      }
      return found;
    }

    return { at, marks, end: cycles === null ? null : start(cycles) };
  }

  /** Values that a clock has one after the other, as far as its numbers tell. */
  function times({ name, values, parts }) {
    if (name === "Constant") return [values.value];
    if (TRANSITIONS.includes(name)) return [values.init_value, values.end_value];
    if (["knots", "Piecewise", "Table"].includes(name)) return values.values;
    if (["shift", "stretch", "staircase", "per_epoch", "warmup"].includes(name)) return times(values.schedule);
    if (name === "cooldown") return [...times(values.schedule).slice(0, 1), values.end_value];
    if (!parts || parts.filter((each) => !isConstant(each)).length > 1) return [];
    const varying = parts.find((each) => !isConstant(each)) ?? parts[0];
    const fold = FOLDS[name];
    return times(varying).map((time) => parts.map((each) => (each === varying ? time : each.at(0))).reduce(fold));
  }

  function checkClock(clock) {
    const all = times(clock);
    const i = all.findIndex((each, i) => each < all[i - 1]);
    if (i > 0) {
      const falls = `got ${brief(clock)}, which goes from ${show(all[i - 1])} to ${show(all[i])}.`;
      throw new Mistake(`\`clock\` must be a schedule that does not fall, ${falls}`);
    }
    const highest = Math.max(...all);
    if (highest > LARGEST_STEP) {
      const grows = `got ${brief(clock)}, which goes up to ${show(highest)}. Count in a larger unit.`;
      throw new Mistake(`\`clock\` must be at most ${show(LARGEST_STEP)}, ${grows}`);
    }
  }

  // Every class of a text: its fields, and what it makes of their values.

  const CALLS = {
    Constant: { fields: [number("value")], make: ({ value }) => ({ at: () => value, end: 0 }) },
    Linear: transition("Linear"),
    Polynomial: transition(
      "Polynomial",
      number("power", { byDefault: 1, atLeast: 0, atMost: 1e6 }),
      number("warp", { byDefault: 1, above: 0, atMost: 1e6 }),
    ),
    OneMinusSqrt: transition("OneMinusSqrt"),
    Cosine: transition(
      "Cosine",
      number("power", { byDefault: 1, atLeast: 0, atMost: 1e6 }),
      number("warp", { byDefault: 1, above: 0, atMost: 1e6 }),
    ),
    Geometric: transition("Geometric"),
    Rex: transition("Rex", number("beta", { byDefault: 0.5, above: 0, atMost: 1e6 })),
    Tanh: transition(
      "Tanh",
      number("lower", { byDefault: -7, atLeast: -1e6, atMost: 1e6 }),
      number("upper", { byDefault: 3, atLeast: -1e6, atMost: 1e6 }),
    ),
    Relaxation: transition("Relaxation", field("rate", rate, { default: 0.1 })),
    Exponential: {
      fields: [
        number("init_value"),
        number("decay_rate", { atLeast: 0 }),
        number("transition_steps", { byDefault: 1, above: 0 }),
      ],
      make: ({ init_value: init, decay_rate: rate, transition_steps: steps }) => ({
        at(t) {
          if (t <= 0 || init === 0) return init;
          const exponent = Math.log(Math.abs(init)) + (Math.log(rate) * t) / steps;
          return Math.sign(init) * Math.exp(Math.min(exponent, LOG_LARGEST));
        },
      }),
    },
    InversePower: {
      fields: [number("init_value"), number("timescale", { above: 0 }), number("power", { atLeast: 0, atMost: 1e6 })],
      make: ({ init_value: init, timescale, power }) => ({
        at: (t) => init * Math.exp(-power * Math.log1p(t / timescale)),
      }),
    },
    Logistic: {
      fields: [number("init_value"), number("end_value"), number("midpoint"), number("timescale", { above: 0 })],
      make: ({ init_value: init, end_value: end, midpoint, timescale }) => ({
        at: (t) => {
          const x = (t - midpoint) / timescale;
          const whole = 1 + Math.exp(-Math.abs(x));
          return (init * Math.exp(-Math.max(x, 0)) + end * Math.exp(Math.min(x, 0))) / whole;
        },
      }),
    },
    Piecewise: {
      fields: [numbers("values"), numbers("boundaries", { ascending: true, atLeast: 0 })],
      make({ values, boundaries }) {
        if (values.length !== boundaries.length + 1) {
          throw new Mistake(
            "`values` must have one more entry than `boundaries`, " +
              `which has ${boundaries.length}, got ${values.length}.`,
          );
        }
        return {
          at: (t) => values[begun(boundaries, t)],
          end: boundaries.at(-1) ?? 0,
          marks: (until) => inside(boundaries, until),
        };
      },
    },
    Table: {
      fields: [numbers("values")],
      make({ values }) {
        if (!values.length) throw new Mistake("`values` must have at least one number, got none.");
        return { at: (t) => values[Math.min(Math.floor(t), values.length - 1)], end: values.length - 1 };
      },
    },
    warmup: {
      fields: [
        part("schedule"),
        number("warmup_steps", { atLeast: 0 }),
        number("init_value", { byDefault: 0 }),
        shape("shape", "Linear"),
        number("first_step", { byDefault: 0, atLeast: 0, atMost: 1, keyword: true }),
      ],
      make({ schedule, warmup_steps: steps, init_value: init, shape, first_step: first }) {
        checkEnds(shape.name, init, schedule.at(0));
        return {
          at: (t) => ramp(shape, init, schedule.at(Math.max(t - steps, 0)), steps, t + first),
          end: schedule.end === null ? null : steps + schedule.end,
          marks: (until) => inside([steps, ...later(schedule, steps)(until)], until),
        };
      },
    },
    cooldown: {
      fields: [
        part("schedule"),
        number("start_step", { atLeast: 0 }),
        number("cooldown_steps", { atLeast: 0 }),
        number("end_value", { byDefault: 0 }),
        shape("shape", "Linear"),
      ],
      make({ schedule, start_step: start, cooldown_steps: steps, end_value: end, shape }) {
        checkEnds(shape.name, schedule.at(start), end);
        return {
          at: (t) => (t < start ? schedule.at(t) : ramp(shape, schedule.at(start), end, steps, t - start)),
          end: start + steps,
          marks: (until) => inside([...schedule.marks(start), start], until),
        };
      },
    },
    knots: {
      fields: [numbers("values"), numbers("steps", { ascending: true, atLeast: 0 }), shape("shape", "Linear")],
      make({ values, steps, shape }) {
        if (values.length !== steps.length || !values.length) {
          throw new Mistake(
            `\`steps\` must have as many entries as \`values\`, at least 1, got ${steps.length} and ${values.length}.`,
          );
        }
        values.slice(1).forEach((each, i) => checkEnds(shape.name, values[i], each));
        const at = (t) => {
          const i = begun(steps, t);
          if (i === 0 || i === steps.length) return values[Math.max(i - 1, 0)];
          return ramp(shape, values[i - 1], values[i], steps[i] - steps[i - 1], t - steps[i - 1]);
        };
        return { at, end: steps.at(-1), marks: (until) => inside(steps.slice(0, -1), until) };
      },
    },
    join: {
      fields: [
        field("schedules", (name, value) => {
          if (!Array.isArray(value)) {
            throw new Mistake(`\`${name}\` must be a list of schedules, got ${describe(value)}.`);
          }
          if (!value.length) throw new Mistake(`\`${name}\` must have at least one schedule, got none.`);
          return value.map((each, i) => asSchedule(`${name}[${i}]`, each));
        }),
        numbers("boundaries", { ascending: true, atLeast: 0 }),
      ],
      make({ schedules, boundaries }) {
        if (boundaries.length !== schedules.length - 1) {
          throw new Mistake(
            "`boundaries` must have one fewer entry than `schedules`, " +
              `which has ${schedules.length}, got ${boundaries.length}.`,
          );
        }
        const starts = [0, ...boundaries];
        const last = schedules.at(-1).end;
        return {
          at: (t) => {
            const k = begun(boundaries, t);
            return schedules[k].at(t - starts[k]);
          },
          end: last === null ? null : starts.at(-1) + last,
          marks: (until) => {
            const own = schedules.map((each, k) => later(each, starts[k])(Math.min(until, starts[k + 1] ?? until)));
            return inside(
              [...boundaries, ...own.flat()].sort((a, b) => a - b),
              until,
            );
          },
        };
      },
    },
    cycle: {
      fields: [
        part("schedule"),
        number("cycle_steps", { above: 0 }),
        number("length_factor", { byDefault: 1, above: 0, atMost: 1e6 }),
        number("value_factor", { byDefault: 1, atLeast: 0 }),
        optional("cycles", { atLeast: 1 }),
      ],
      make: makeCycle,
    },
    reflect: {
      fields: [part("schedule"), number("period", { above: 0 })],
      make: ({ schedule, period }) => ({
        at: (t) => {
          const [, passed] = periods(t, period);
          return schedule.at(Math.min(passed, period - passed));
        },
        marks: (until) =>
          Array.from({ length: Math.min(Math.ceil((2 * until) / period), MOST_MARKS) }, (_, i) => (i * period) / 2),
      }),
    },
    staircase: {
      fields: [part("schedule"), number("every", { above: 0 })],
      make: ({ schedule, every }) => ({
        at: (t) => schedule.at(t - periods(t, every)[1]),
        end: schedule.end,
        marks: schedule.marks,
      }),
    },
    stretch: {
      fields: [part("schedule"), number("factor", { above: 0 })],
      make: ({ schedule, factor }) => ({
        at: (t) => schedule.at(t / factor),
        end: schedule.end === null ? null : factor * schedule.end,
        marks: (until) => schedule.marks(until / factor).map((each) => each * factor),
      }),
    },
    per_epoch: {
      fields: [part("schedule"), number("steps_per_epoch", { above: 0 })],
      make: ({ schedule, steps_per_epoch: every }) => ({
        at: (t) => schedule.at(periods(t, every)[0]),
        end: schedule.end === null ? null : every * Math.ceil(schedule.end),
        marks: (until) => schedule.marks(until / every).map((each) => Math.ceil(each) * every),
      }),
    },
    shift: {
      fields: [part("schedule"), number("steps")],
      make: ({ schedule, steps }) => ({
        at: (t) => schedule.at(Math.max(t - steps, 0)),
        end: schedule.end === null ? null : Math.max(schedule.end + steps, 0),
        marks: (until) => inside([steps, ...later(schedule, steps)(until)], until),
      }),
    },
    reclock: {
      fields: [part("schedule"), part("clock")],
      make({ schedule, clock }) {
        checkClock(clock);
        return {
          at(t) {
            const time = clock.at(t);
            const whole = Math.round(time);
            const near = Math.abs(whole - time) <= 2 * Number.EPSILON * Math.abs(time);
            return schedule.at(Math.max(0, Math.min(near ? whole : time, LARGEST_STEP)));
          },
          end: clock.end,
          marks: clock.marks,
        };
      },
    },
    clip: {
      fields: [part("schedule"), optional("min_value"), optional("max_value")],
      make({ schedule, min_value: low, max_value: high }) {
        if (low !== null && high !== null && low > high) {
          throw new Mistake(`\`max_value\` must be at least \`min_value\` (${show(low)}), got ${show(high)}.`);
        }
        return {
          at: (t) => Math.min(Math.max(schedule.at(t), low ?? -Infinity), high ?? Infinity),
          end: schedule.end,
          marks: schedule.marks,
        };
      },
    },
  };

  const TRANSITIONS = Object.keys(CALLS).filter(
    (name) => CALLS[name].fields[2]?.name === "transition_steps" && name !== "Exponential",
  );

  /** Makes a schedule of converted values, with the defaults for those that are missing. */
  function make(name, values) {
    const { fields, make: made } = CALLS[name];
    const all = {};
    for (const field of fields) {
      if (!(field.name in values) && "default" in field) all[field.name] = field.default;
      else all[field.name] = values[field.name];
    }
    return new Schedule(name, fields, all, made(all));
  }

  /** Makes a schedule of the values of a text. */
  function build(name, values) {
    const converted = {};
    for (const { name: key, convert } of CALLS[name].fields) {
      if (key in values) converted[key] = convert(values[key]);
    }
    return make(name, converted);
  }

  const constant = (value) => make("Constant", { value });
  const num = (value) => new Num(value);
  const nums = (values) => values.map(num);

  const FOLDS = { Product: (x, y) => x * y, Sum: (x, y) => x + y };

  function combined(name, a, b) {
    const flat = [a, b].flatMap((each) => (each.name === name ? each.parts : [each]));
    if (flat.length > MOST_TERMS) throw new Mistake(`A sum or product must have at most ${MOST_TERMS} terms here.`);
    const ends = flat.map((each) => each.end);
    return new Schedule(
      name,
      [],
      {},
      {
        parts: flat,
        at: (t) => limited(flat.map((each) => each.at(t)).reduce(FOLDS[name])),
        end: ends.includes(null) ? null : Math.max(...ends),
        marks: (until) => flat.flatMap((each) => each.marks(until)),
      },
    );
  }

  function operate(sign, left, right) {
    if (left instanceof Num && right instanceof Num) {
      const [a, b] = [left.value, right.value];
      return num(sign === "+" ? a + b : sign === "-" ? a - b : sign === "*" ? a * b : a / b);
    }
    if (sign === "-") {
      return operate("+", left, right instanceof Num ? num(-right.value) : operate("*", num(-1), right));
    }
    const [a, b] = [left, right].map((each) => (each instanceof Num ? constant(within("operand", each.value)) : each));
    return combined(sign === "*" ? "Product" : "Sum", a, b);
  }

  // Presets: compositions under the names that the library gives them.

  function stepsOf(name, value, total) {
    return checked(name, value, { atLeast: 0, atMost: total });
  }

  function upAndDown(
    { total_steps: total, peak_fraction: fraction, shape, three_phases: three },
    [first, middle, last],
  ) {
    if (typeof three !== "boolean") {
      throw new Mistake(`\`three_phases\` must be True or False, got ${describe(three)}.`);
    }
    const most = three ? 0.5 : 1;
    const share = checked("peak_fraction", fraction, { atLeast: 0, atMost: most });
    const steps = checked("total_steps", total, { atLeast: 0 });
    const peak = share * steps;
    const values = three ? [first, middle, first, last] : [first, middle, last];
    const at = three ? [0, peak, 2 * peak, steps] : [0, peak, steps];
    return build("knots", { values: nums(values), steps: nums(at), shape });
  }

  const ONE_CYCLE = [
    plain("total_steps"),
    plain("peak_fraction", num(0.3)),
    plain("shape", new Shape("Cosine")),
    { ...plain("three_phases", false), keyword: true },
  ];

  function triangles(values, name) {
    const rise = checked("rise_steps", values.rise_steps, { atLeast: 0 });
    const fall = values.fall_steps === null ? rise : checked("fall_steps", values.fall_steps, { atLeast: 0 });
    const init = checked("init_value", values.init_value);
    const peak = checked(name, values[name]);
    const period = within("rise_steps + fall_steps", rise + fall);
    if (!(period > 0)) throw new Mistake("`rise_steps` or `fall_steps` must be above 0, got 0 for both.");
    const triangle = build("knots", { values: nums([0, 1, 0]), steps: nums([0, rise, period]) });
    const cycles = build("cycle", { schedule: triangle, cycle_steps: num(period), value_factor: values.value_factor });
    const height = operate("*", num(within("peak_value - init_value", peak - init)), cycles);
    const { decay_rate: decay } = values;
    const scaled =
      decay === null ? height : operate("*", height, build("Exponential", { init_value: num(1), decay_rate: decay }));
    return operate("+", num(init), scaled);
  }

  const CYCLIC = [
    plain("rise_steps"),
    plain("fall_steps", null),
    { ...plain("value_factor", num(1)), keyword: true },
    { ...plain("decay_rate", null), keyword: true },
  ];

  const PRESETS = {
    step_decay: {
      fields: [plain("init_value"), plain("decay_rate"), plain("transition_steps")],
      build: (values) => build("staircase", { schedule: build("Exponential", values), every: values.transition_steps }),
    },
    multi_step: {
      fields: [plain("init_value"), plain("decay_rate"), plain("boundaries")],
      build({ init_value, decay_rate, boundaries }) {
        const [init, rate] = [checked("init_value", init_value), checked("decay_rate", decay_rate)];
        if (!Array.isArray(boundaries)) checkedList("boundaries", boundaries);
        const levels = [...boundaries, null].map((_, cut) =>
          num(within(`init_value * decay_rate ** ${cut}`, init * rate ** cut)),
        );
        return build("Piecewise", { values: levels, boundaries });
      },
    },
    warmup_cosine: {
      fields: [
        plain("peak_value"),
        plain("total_steps"),
        plain("warmup_steps"),
        plain("init_value", num(0)),
        plain("end_value", num(0)),
      ],
      build({ peak_value, total_steps, warmup_steps, init_value, end_value }) {
        const peak = checked("peak_value", peak_value);
        const total = checked("total_steps", total_steps, { atLeast: 0 });
        const steps = stepsOf("warmup_steps", warmup_steps, total);
        const decay = build("Cosine", { init_value: num(peak), end_value, transition_steps: num(total - steps) });
        return build("warmup", { schedule: decay, warmup_steps: num(steps), init_value });
      },
    },
    warmup_stable_decay: {
      fields: [
        plain("peak_value"),
        plain("total_steps"),
        plain("warmup_steps"),
        plain("cooldown_steps"),
        plain("init_value", num(0)),
        plain("end_value", num(0)),
        plain("shape", new Shape("Linear")),
      ],
      build({ peak_value, total_steps, warmup_steps, cooldown_steps, init_value, end_value, shape }) {
        const peak = checked("peak_value", peak_value);
        const total = checked("total_steps", total_steps, { atLeast: 0 });
        const cooling = stepsOf("cooldown_steps", cooldown_steps, total);
        const steps = stepsOf("warmup_steps", warmup_steps, total - cooling);
        const flat = build("warmup", { schedule: num(peak), warmup_steps: num(steps), init_value });
        const [start_step, cooldown] = [num(total - cooling), num(cooling)];
        return build("cooldown", { schedule: flat, start_step, cooldown_steps: cooldown, end_value, shape });
      },
    },
    one_cycle: {
      fields: [plain("init_value"), plain("peak_value"), plain("end_value"), ...ONE_CYCLE],
      build: (values) =>
        upAndDown(
          values,
          ["init_value", "peak_value", "end_value"].map((name) => checked(name, values[name])),
        ),
    },
    one_cycle_momentum: {
      fields: [plain("init_value"), plain("trough_value"), ...ONE_CYCLE],
      build(values) {
        const [first, lowest] = ["init_value", "trough_value"].map((name) => checked(name, values[name]));
        return upAndDown(values, [first, lowest, first]);
      },
    },
    cyclic: {
      fields: [plain("init_value"), plain("peak_value"), ...CYCLIC],
      build: (values) => triangles(values, "peak_value"),
    },
    cyclic_momentum: {
      fields: [plain("init_value"), plain("trough_value"), ...CYCLIC],
      build(values) {
        checked("trough_value", values.trough_value);
        return triangles({ ...values, peak_value: values.trough_value }, "peak_value");
      },
    },
    warm_restarts: {
      fields: [
        plain("peak_value"),
        plain("end_value"),
        plain("cycle_steps"),
        plain("length_factor", new Num(1, true)),
        plain("value_factor", num(1)),
        plain("cycles", null),
      ],
      build({ peak_value, end_value, cycle_steps, length_factor, value_factor, cycles }) {
        const [peak, steps] = [
          num(checked("peak_value", peak_value)),
          num(checked("cycle_steps", cycle_steps, { above: 0 })),
        ];
        const falling = build("Cosine", { init_value: peak, end_value: num(0), transition_steps: steps });
        const rising = build("Cosine", { init_value: num(0), end_value, transition_steps: steps });
        const down = build("cycle", { schedule: falling, cycle_steps: steps, length_factor, value_factor, cycles });
        return operate("+", down, build("cycle", { schedule: rising, cycle_steps: steps, length_factor, cycles }));
      },
    },
    inverse_sqrt: {
      fields: [plain("peak_value"), plain("warmup_steps"), plain("init_value", num(0)), plain("timescale", null)],
      build({ peak_value, warmup_steps, init_value, timescale }) {
        const peak = num(checked("peak_value", peak_value));
        const own = timescale === null ? num(checked("warmup_steps", warmup_steps, { above: 0 })) : timescale;
        const decay = build("InversePower", { init_value: peak, timescale: own, power: num(0.5) });
        return build("warmup", { schedule: decay, warmup_steps, init_value });
      },
    },
    noam: {
      fields: [plain("model_size"), plain("warmup_steps"), plain("scale", num(1))],
      build({ model_size, warmup_steps, scale }) {
        const factor = checked("scale", scale);
        const [size, steps] = [
          checked("model_size", model_size, { above: 0 }),
          checked("warmup_steps", warmup_steps, { above: 0 }),
        ];
        const product = within("model_size * warmup_steps", size * steps, { above: 0 });
        const peak = within("scale * (model_size * warmup_steps) ** -0.5", factor * product ** -0.5);
        const decay = PRESETS.inverse_sqrt.build({
          peak_value: num(peak),
          warmup_steps: num(steps),
          init_value: num(0),
          timescale: null,
        });
        return build("shift", { schedule: decay, steps: num(-1) });
      },
    },
  };

  // The reader. Its rules are those of the library's `parse`.

  const LONGEST_TEXT = 100_000;
  const MOST_ENTRIES = 10_000;
  const DEEPEST = 100;
  const SEVERAL = ["stack", "select"];
  const CONSTANTS = { __proto__: null, None: null, True: true, False: false };
  const TIGHTNESS = { __proto__: null, "+": 1, "-": 1, "*": 2, "/": 2 };
  const FUNCTIONS = { __proto__: null };
  for (const [name, { fields }] of Object.entries({ ...CALLS, ...PRESETS })) FUNCTIONS[name] = fields;

  const TOKEN = new RegExp(
    String.raw`\s*(?:` +
      String.raw`(?<number>(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9][0-9_]*)?(?![\p{L}\p{N}_.]))` +
      String.raw`|(?<keyword>[\p{L}_][\p{L}\p{N}_]*)\s*=(?!=)` +
      String.raw`|(?:(?:js|jaxsched)\.)?(?<name>[\p{L}_][\p{L}\p{N}_]*)` +
      String.raw`|(?<string>'[^'\\\n]{0,1000}'|"[^"\\\n]{0,1000}")` +
      String.raw`|(?<sign>[-+,()\[\]]|\*(?!\*)|\/(?!\/))` +
      String.raw`|(?<comment>#[^\n]*)` +
      String.raw`|(?<end>$)` +
      String.raw`|(?<other>[^]))`,
    "uyd",
  );

  function* tokens(text) {
    TOKEN.lastIndex = 0;
    for (;;) {
      const match = TOKEN.exec(text);
      const [kind, found] = Object.entries(match.groups).find(([, each]) => each !== undefined);
      const [start] = match.indices.groups[kind];
      if (kind !== "comment") yield { kind, text: found, start };
      if (kind === "other" || kind === "end") return;
    }
  }

  const cut = (text, most = 50) => (text.length <= most ? text : `${text.slice(0, most - 3)}...`);

  /** Ratcliff and Obershelp's similarity, as Python's `difflib` measures it. */
  function similarity(a, b) {
    function matches(a, b) {
      let [best, from, to] = [0, 0, 0];
      for (let i = 0; i < a.length; i += 1) {
        for (let j = 0; j < b.length; j += 1) {
          let k = 0;
          while (i + k < a.length && j + k < b.length && a[i + k] === b[j + k]) k += 1;
          if (k > best) [best, from, to] = [k, i, j];
        }
      }
      if (!best) return 0;
      return best + matches(a.slice(0, from), b.slice(0, to)) + matches(a.slice(from + best), b.slice(to + best));
    }
    return (2 * matches(a, b)) / (a.length + b.length || 1);
  }

  function nearest(name, known) {
    const wanted = name.slice(0, 50).toLowerCase();
    let [best, found] = [0.6, null];
    for (const each of known) {
      const score = similarity(each.toLowerCase(), wanted);
      if (score > best || (score === best && (found === null || each.toLowerCase() > found.toLowerCase()))) {
        [best, found] = [score, each];
      }
    }
    return found === null ? "." : `; did you mean \`${found}\`?`;
  }

  const required = (name) => FUNCTIONS[name].filter((each) => !("default" in each)).map((each) => each.name);
  const needsArguments = (name) => `\`${name}\` needs its arguments: \`${name}(${required(name).join(", ")})\`.`;

  class Reader {
    constructor(text) {
      this.tokens = tokens(text);
      this.items = new Map();
      this.depth = 0;
      this.entriesRead = 0;
      this.advance();
    }

    fail(place, message) {
      throw new Mistake(cut(message, 500), place);
    }

    advance() {
      this.next = this.tokens.next().value;
      if (this.next.kind !== "other") return;
      const dot = "A name in a text has no dots. For a port, use the text that it prints.";
      this.fail(this.next.start, this.next.text === "." ? dot : "This is not part of a schedule's text.");
    }

    schedule() {
      const { start } = this.next;
      const value = this.expression();
      if (this.next.kind !== "end") this.fail(this.next.start, "Expected `+`, `-`, `*`, `/` or the end.");
      if (value instanceof Shape && !value.keywords) this.fail(start, needsArguments(value.name));
      if (value instanceof Num) return this.placed(start, {}, () => constant(within("value", value.value)));
      if (!(value instanceof Schedule)) this.fail(start, "This is not a schedule.");
      return value;
    }

    expression(tightness = 0) {
      const { start } = this.next;
      let value = this.operand();
      while (this.next.text in TIGHTNESS && TIGHTNESS[this.next.text] > tightness) {
        const { start: place, text: sign } = this.next;
        const left = this.arithmetic(start, value);
        this.advance();
        const following = this.next.start;
        const right = this.arithmetic(following, this.expression(TIGHTNESS[sign]));
        value = this.combine(place, sign, left, right);
      }
      return value;
    }

    operand() {
      const { start } = this.next;
      let signs = 0;
      while (this.next.text === "-") {
        signs += 1;
        this.advance();
      }
      const place = this.next.start;
      let value = this.atom();
      if (!signs) return value;
      value = this.arithmetic(place, value);
      const times = value instanceof Schedule ? signs : signs % 2;
      for (let i = 0; i < times; i += 1) value = this.combine(start, "*", num(-1), value);
      return value;
    }

    atom() {
      const { kind, text: token, start } = this.next;
      if (token === "[") return this.entries("]").read;
      if (token === "(") {
        const { read, comma } = this.entries(")");
        if (!comma && read.length === 1) return read[0];
        read.tuple = true;
        return read;
      }
      if (kind !== "number" && kind !== "string" && kind !== "name") {
        this.fail(start, "Expected a schedule, a number or a list.");
      }
      this.advance();
      if (kind === "number") return this.number(start, token);
      if (kind === "string") return token.slice(1, -1);
      if (this.next.text === "(") return token === "partial" ? this.partial(start) : this.call(start, token);
      return token in CONSTANTS ? CONSTANTS[token] : this.shape(start, token);
    }

    number(place, token) {
      if (/__|_(?![0-9])|(?<![0-9])_/.test(token)) this.fail(place, `\`${cut(token)}\` is not a number.`);
      const digits = token.replaceAll("_", "");
      return new Num(Number(digits), /^[0-9]+$/.test(digits) && digits.length < 300);
    }

    entries(closing) {
      const read = [];
      let comma = false;
      this.bracketed(closing, (place) => {
        this.entriesRead += 1;
        if (this.entriesRead > MOST_ENTRIES) {
          this.fail(
            place,
            `Lists must have at most ${MOST_ENTRIES} entries in total, got ${this.entriesRead} up to here.`,
          );
        }
        read.push(this.expression());
        comma = this.next.text === ",";
      });
      return { read, comma };
    }

    /** Reads the brackets that open here; `item` reads one of the items. */
    bracketed(closing, item) {
      const { text: bracket, start: opening } = this.next;
      const places = [];
      this.items.set(opening, places);
      this.depth += 1;
      if (this.depth > DEEPEST) {
        this.fail(opening, `Brackets must be nested at most ${DEEPEST} deep, got ${this.depth}.`);
      }
      this.advance();
      while (this.next.text !== closing) {
        if (this.next.kind === "end") this.fail(opening, `\`${bracket}\` was never closed.`);
        places.push(this.next.start);
        item(this.next.start);
        if (this.next.text === ",") this.advance();
        else if (this.next.text !== closing && this.next.kind !== "end")
          this.fail(this.next.start, `Expected \`,\` or \`${closing}\`.`);
      }
      this.advance();
      this.depth -= 1;
    }

    shape(place, name) {
      if (TRANSITIONS.includes(name)) return new Shape(name);
      if (name in FUNCTIONS) this.fail(place, needsArguments(name));
      return this.fail(place, `Unknown shape or number \`${cut(name)}\`${nearest(name, TRANSITIONS)}`);
    }

    call(place, name) {
      if (SEVERAL.includes(name)) {
        this.fail(place, `\`${name}\` holds several schedules; here, type each on a line of its own.`);
      }
      if (!(name in FUNCTIONS)) {
        this.fail(place, `Unknown schedule \`${cut(name)}\`${nearest(name, [...Object.keys(FUNCTIONS), ...SEVERAL])}`);
      }
      const { values, places } = this.arguments(name, FUNCTIONS[name]);
      const missing = required(name).filter((each) => !(each in values));
      if (missing.length) this.fail(place, `\`${name}\` is missing \`${missing.join("`, `")}\`.`);
      return this.placed(place, places, () => {
        if (name in CALLS) return build(name, values);
        const defaults = Object.fromEntries(
          FUNCTIONS[name].filter((each) => "default" in each).map((each) => [each.name, each.default]),
        );
        return PRESETS[name].build({ ...defaults, ...values });
      });
    }

    partial(place) {
      let [first, name] = [place, null];
      let read = null;
      const { values, places } = this.arguments(
        (shape) => `partial(${shape})`,
        null,
        (start) => {
          first = start;
          read = this.expression();
          if (!(read instanceof Shape) || read.keywords) {
            this.fail(start, "The first argument of `partial` must be the name of a shape.");
          }
          name = read.name;
          return [name, FUNCTIONS[name].slice(3).map((each) => ({ ...each, keyword: true }))];
        },
      );
      if (name === null) this.fail(first, "The first argument of `partial` must be the name of a shape.");
      return this.placed(place, places, () => {
        const keywords = {};
        for (const { name: key, convert } of FUNCTIONS[name]) {
          if (key in values) keywords[key] = convert(values[key]);
        }
        make(name, { init_value: 1, end_value: 0.5, transition_steps: 1, ...keywords });
        return new Shape(name, Object.fromEntries(Object.keys(values).map((key) => [key, keywords[key]])));
      });
    }

    /** Reads the arguments of a call, by name; `leading` reads a `partial`'s shape and says which others it has. */
    arguments(callee, parameters, leading = null) {
      const [values, places] = [{}, {}];
      let [named, count] = [false, 0];
      this.bracketed(")", (start) => {
        if (leading && !parameters) {
          const [shape, fields] = leading(start);
          [callee, parameters] = [callee(shape), fields];
          return;
        }
        const positional = parameters.filter((each) => !each.keyword).map((each) => each.name);
        let name;
        if (this.next.kind === "keyword") {
          named = true;
          name = this.next.text;
          const known = parameters.map((each) => each.name);
          if (!known.includes(name)) {
            this.fail(start, `\`${callee}\` has no argument \`${cut(name)}\`${nearest(name, known)}`);
          }
          if (name in values) this.fail(start, `\`${callee}\` has two values for \`${name}\`.`);
          this.advance();
        } else if (named) {
          this.fail(start, "A positional argument must come before the keyword arguments.");
        } else if (count === positional.length) {
          const after = positional.length ? ` after \`${positional.at(-1)}\`` : "";
          this.fail(start, `\`${callee}\` takes no positional argument${after}.`);
        } else {
          name = positional[count];
        }
        count += 1;
        places[name] = this.next.start;
        values[name] = this.expression();
      });
      return { values, places };
    }

    arithmetic(place, value) {
      if (value instanceof Schedule) return value;
      if (value instanceof Num) return num(value.value);
      if (value instanceof Shape && !value.keywords) this.fail(place, needsArguments(value.name));
      return this.fail(place, "The operands of `+`, `-`, `*` and `/` must be numbers or schedules.");
    }

    combine(place, sign, left, right) {
      if (sign === "/") {
        if (left instanceof Schedule || right instanceof Schedule) {
          this.fail(place, "`/` must divide numbers; multiply the schedule by `1 / number`.");
        }
        if (right.value === 0) this.fail(place, "Division by zero.");
      }
      return this.placed(place, {}, () => operate(sign, left, right));
    }

    /** The result of `action`; a mistake points at the argument that it names, or at `place`. */
    placed(place, places, action) {
      try {
        return action();
      } catch (error) {
        if (!(error instanceof Mistake) || error.place !== null) throw error;
        const named = /^`(\w+)(?:\[(\d+)\])?/.exec(error.message);
        let at = place;
        if (named && named[1] in places) {
          at = places[named[1]];
          const items = this.items.get(at) ?? [];
          if (named[2] !== undefined && Number(named[2]) < items.length) at = items[Number(named[2])];
        }
        return this.fail(at, error.message);
      }
    }
  }

  /** The schedule of a text. Throws a `Mistake`, whose `place` is an index into the text. */
  function parse(text) {
    if (text.length > LONGEST_TEXT) {
      throw new Mistake(`\`text\` must have at most ${LONGEST_TEXT} characters, got ${text.length}.`);
    }
    return new Reader(text).schedule();
  }

  return { parse, show, Mistake, names: Object.keys(FUNCTIONS) };
})();
