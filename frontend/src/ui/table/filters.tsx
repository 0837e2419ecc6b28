import { useAddress } from "../address";
import type { Option } from "../field";

export interface Filter {
  /** The word in the address and in the request. */
  readonly word: string;
  readonly label: string;
  readonly options: readonly Option[];
}

/** Filters of a table; what is chosen stands in the address, so that it can be sent to somebody. */
export function Filters({ filters }: { filters: readonly Filter[] }) {
  const { query, change } = useAddress();
  const chosen = filters.filter((filter) => query.get(filter.word));
  return (
    <form className="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {filters.map((filter) => (
        <label key={filter.word}>
          <span>{filter.label}</span>
          <select
            value={query.get(filter.word) ?? ""}
            onChange={(event) => change({ [filter.word]: event.target.value })}
          >
            <option value="">any</option>
            {filter.options.map((option) => (
              <option key={option.value} value={option.value}>
                {option.label}
              </option>
            ))}
          </select>
        </label>
      ))}
      {chosen.length > 0 && (
        <button
          type="button"
          className="button small"
          onClick={() => change(Object.fromEntries(chosen.map((filter) => [filter.word, null])))}
        >
          Clear filters
        </button>
      )}
    </form>
  );
}
